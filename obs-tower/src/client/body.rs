use bytes::Buf;
use http_body::Frame;
use obs_core::body::{Watched, Watcher};

use super::call::Call;
use crate::exchange::{End, Progress};

/// The response body of [`Client`](super::Client): the inner body, watched to its end.
///
/// Dropping it early records that the call was given up in the middle of the body.
pub type ResponseBody<B> = Watched<B, CallInBody>;

/// The record of a call whose response is being read.
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::{BodyExt, Full};
/// use obs_core::telemetry::Telemetry;
/// use obs_tower::client::ClientLayer;
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let telemetry = Telemetry::builder("orders").build()?;
/// let client = ClientLayer::new(telemetry).layer(service_fn(|_: Request<Full<Bytes>>| async {
///     Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from_static(b"[7]"))))
/// }));
/// let response = client.oneshot(Request::new(Full::default())).await?;
/// // The call ends with its last byte, and so does its span.
/// assert_eq!(response.into_body().collect().await?.to_bytes(), "[7]");
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CallInBody {
    call: Call,
    progress: Progress,
    /// What the last frame was the end of.
    end: Option<End>,
}

impl CallInBody {
    pub(super) const fn new(call: Call, progress: Progress) -> Self {
        Self { call, progress, end: None }
    }
}

impl Watcher for CallInBody {
    fn frame<D: Buf>(&mut self, frame: &Frame<D>, is_last: bool) -> bool {
        self.call.received(frame.data_ref().map_or(0, Buf::remaining));
        self.end = self.progress.frame(frame, is_last);
        self.end.is_some()
    }

    fn end(self, failed: Option<&'static str>) {
        let end = failed.map(End::BodyError).or(self.end);
        self.call.finish(end.unwrap_or_else(|| self.progress.end_of_stream()));
    }
}
