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

/// A whole body of at most [`MAX_BODY_BYTES`].
///
/// A larger one is refused with 413, one that breaks off with 400.
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
        read(body).await.map(Self)
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
