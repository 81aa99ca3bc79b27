use std::any::type_name;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::call::Call;
use crate::exchange::{End, Progress};

pin_project! {
    /// The response body of [`Client`](super::Client): the inner body, watched to its end.
    ///
    /// Forwards `size_hint` and `is_end_stream`, and passes frames and errors on unchanged.
    /// Dropping it early records that the call was given up in the middle of the body.
    pub struct ResponseBody<B> {
        #[pin]
        inner: B,
        watch: Option<(Call, Progress)>,
    }
}

impl<B> ResponseBody<B> {
    pub(super) fn unwatched(inner: B) -> Self {
        Self { inner, watch: None }
    }

    pub(super) fn watched(inner: B, call: Call, progress: Progress) -> Self {
        Self { inner, watch: Some((call, progress)) }
    }

    /// Gives the inner body back; what is left of it is not observed.
    pub fn into_inner(self) -> B {
        self.inner
    }
}

/// The body of a refusal by a layer outside of the client; no call stands behind it.
impl<B: From<Bytes>> From<Bytes> for ResponseBody<B> {
    fn from(bytes: Bytes) -> Self {
        Self::unwatched(B::from(bytes))
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let polled = ready!(this.inner.as_mut().poll_frame(context));
        let Some((call, progress)) = this.watch.as_mut() else { return Poll::Ready(polled) };
        let end = match &polled {
            None => Some(progress.end_of_stream()),
            Some(Err(_)) => Some(End::BodyError(type_name::<B::Error>())),
            Some(Ok(frame)) => {
                call.received(frame.data_ref().map_or(0, Buf::remaining));
                progress.frame(frame, this.inner.is_end_stream())
            }
        };
        if let Some(end) = end
            && let Some((call, _)) = this.watch.take()
        {
            call.finish(end);
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: fmt::Debug> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("inner", &self.inner).finish_non_exhaustive()
    }
}
