use std::time::Duration;

use axum::extract::{FromRequest, Request};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, StatusCode, header};
use http_body::Body as _;
use http_body_util::BodyExt;

use crate::failure::Failure;

/// The most bytes a body may have: 64 KiB, ten times an order of 100 lines.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// The most bytes of a body that is too large which are read and thrown away.
///
/// A client that is still sending when the connection closes may never see the answer, so a
/// moderately oversized body is read to its end first.
const MAX_DISCARDED_BYTES: usize = 16 * 1024 * 1024;

/// How long a body may take to arrive.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// A whole body of at most [`MAX_BODY_BYTES`].
///
/// A larger one is refused with 413, one that takes longer than 10 s with 408, one that breaks off
/// with 400.
#[derive(Clone, Debug)]
pub struct Body(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let promised = body.size_hint().lower();
        if promised > MAX_BODY_BYTES as u64 && waits_for_permission(&parts.headers) {
            return Err(too_large());
        }
        match tokio::time::timeout(TIME_LIMIT, read(body)).await {
            Ok(read) => read.map(Self),
            Err(_) => {
                let detail = format!("the body did not arrive within {} s", TIME_LIMIT.as_secs());
                Err(Failure::status(StatusCode::REQUEST_TIMEOUT, detail))
            }
        }
    }
}

/// Whether the client sends the body only when it is told to.
fn waits_for_permission(headers: &HeaderMap) -> bool {
    let expect = headers.get(header::EXPECT).and_then(|value| value.to_str().ok());
    expect.is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
}

async fn read(mut body: axum::body::Body) -> Result<Bytes, Failure> {
    let mut kept = BytesMut::new();
    let mut length = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|_| Failure::status(StatusCode::BAD_REQUEST, "the body broke off"))?;
        let Ok(data) = frame.into_data() else { continue };
        length = length.saturating_add(data.len());
        if length <= MAX_BODY_BYTES {
            kept.extend_from_slice(&data);
        } else if length > MAX_DISCARDED_BYTES {
            break;
        }
    }
    if length > MAX_BODY_BYTES { Err(too_large()) } else { Ok(kept.freeze()) }
}

fn too_large() -> Failure {
    let detail = format!("the body is larger than {MAX_BODY_BYTES} bytes");
    Failure::status(StatusCode::PAYLOAD_TOO_LARGE, detail)
}

#[cfg(test)]
mod tests {
    use axum::body::Body as AxumBody;
    use axum::response::IntoResponse;
    use futures_util::stream;

    use super::*;

    async fn extract(request: Request) -> Result<usize, u16> {
        let body = Body::from_request(request, &()).await;
        body.map(|Body(bytes)| bytes.len())
            .map_err(|failure| failure.into_response().status().as_u16())
    }

    fn of_length(length: usize) -> Request {
        Request::new(AxumBody::from(vec![0; length]))
    }

    #[tokio::test]
    async fn a_body_may_be_as_long_as_the_limit_and_no_longer() {
        assert_eq!(extract(of_length(0)).await, Ok(0));
        assert_eq!(extract(of_length(MAX_BODY_BYTES)).await, Ok(MAX_BODY_BYTES));
        assert_eq!(extract(of_length(MAX_BODY_BYTES + 1)).await, Err(413));
    }

    #[tokio::test]
    async fn a_body_without_end_is_not_read_for_ever() {
        let chunk = || Ok::<_, std::io::Error>(Bytes::from_static(&[0; 65_536]));
        let endless = AxumBody::from_stream(stream::repeat_with(chunk));
        assert_eq!(extract(Request::new(endless)).await, Err(413));
    }

    #[tokio::test]
    async fn a_client_that_asks_first_is_refused_before_it_sends() {
        let unread =
            stream::poll_fn(|_| -> std::task::Poll<Option<Result<Bytes, std::io::Error>>> {
                panic!("nobody reads it")
            });
        let body = AxumBody::new(Promised(AxumBody::from_stream(unread)));
        let request = Request::builder().header("expect", "100-continue").body(body).unwrap();
        assert_eq!(extract(request).await, Err(413));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_arrive_is_given_up() {
        let silent = stream::pending::<Result<Bytes, std::io::Error>>();
        assert_eq!(extract(Request::new(AxumBody::from_stream(silent))).await, Err(408));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_refused() {
        let broken =
            stream::iter([Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("gone"))]);
        assert_eq!(extract(Request::new(AxumBody::from_stream(broken))).await, Err(400));
    }

    /// A body whose headers promise more than the limit.
    struct Promised(AxumBody);

    impl http_body::Body for Promised {
        type Data = Bytes;
        type Error = axum::Error;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            context: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
            std::pin::Pin::new(&mut self.0).poll_frame(context)
        }

        fn size_hint(&self) -> http_body::SizeHint {
            http_body::SizeHint::with_exact(10_000_000)
        }
    }
}
