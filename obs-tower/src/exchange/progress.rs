use bytes::Buf;
use http::{HeaderMap, StatusCode};
use http_body::Frame;

use super::{End, GrpcStatus, StandardHeaders};

/// How far a response body has come, and by what it will have ended.
#[derive(Debug)]
pub(crate) struct Progress {
    /// The length that the headers promise.
    promised: Option<u64>,
    sent: u64,
    grpc: bool,
}

impl Progress {
    /// The progress of the body that follows these headers.
    pub(crate) fn new(headers: &HeaderMap) -> Self {
        let headers = StandardHeaders::of(headers);
        Self { promised: headers.content_length(), sent: 0, grpc: headers.is_grpc() }
    }

    /// The end of a response whose headers are all there is; `None` if a body follows.
    ///
    /// `method` is that of the request: `HEAD` is answered without a body, and so is `CONNECT`.
    pub(crate) fn end_at_headers(
        &self,
        method: &str,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Option<End> {
        if self.grpc
            && let Some(status) = GrpcStatus::from_headers(headers)
        {
            return Some(End::Trailers(status));
        }
        let bodiless = method == "HEAD"
            || method == "CONNECT" && status.is_success()
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        bodiless.then_some(End::Complete)
    }

    /// The end of a body of which no more comes.
    pub(crate) fn end_of_stream(&self) -> End {
        let short = self.promised.is_some_and(|promised| self.sent < promised);
        if short || self.grpc { End::Truncated } else { End::Complete }
    }

    /// Takes note of a frame; the answer is the end, if the frame brings it.
    pub(crate) fn frame<D: Buf>(&mut self, frame: &Frame<D>, is_last: bool) -> Option<End> {
        if let Some(trailers) = frame.trailers_ref() {
            return Some(match GrpcStatus::from_headers(trailers) {
                Some(status) => End::Trailers(status),
                None => self.end_of_stream(),
            });
        }
        let length = frame.data_ref().map_or(0, |data| data.remaining() as u64);
        self.sent = self.sent.saturating_add(length);
        // A server stops polling at the promised length, so nobody would ask for the end.
        if self.promised == Some(self.sent) && !self.grpc {
            return Some(End::Complete);
        }
        is_last.then(|| self.end_of_stream())
    }
}
