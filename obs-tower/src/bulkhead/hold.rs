use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::BulkheadPermit;

/// How long the room of a call is held.
pub trait Hold<Res> {
    /// The response that carries the permit, or not.
    type Response;

    /// Takes the permit when the inner service has answered.
    fn hold(&self, response: Res, permit: Option<BulkheadPermit>) -> Self::Response;
}

/// Until the inner service has answered: with the headers of a response.
#[derive(Clone, Copy, Debug, Default)]
pub struct UntilHeaders;

impl<Res> Hold<Res> for UntilHeaders {
    type Response = Res;

    #[inline]
    fn hold(&self, response: Res, _: Option<BulkheadPermit>) -> Res {
        response
    }
}

/// Until the body of the response has ended or was dropped.
#[derive(Clone, Copy, Debug, Default)]
pub struct UntilEndOfBody;

impl<B: Body> Hold<Response<B>> for UntilEndOfBody {
    type Response = Response<PermitBody<B>>;

    fn hold(&self, response: Response<B>, permit: Option<BulkheadPermit>) -> Self::Response {
        response.map(|inner| {
            let permit = permit.filter(|_| !inner.is_end_stream());
            PermitBody { inner, permit }
        })
    }
}

pin_project! {
    /// A body that holds room in a bulkhead until it ends.
    #[derive(Debug)]
    pub struct PermitBody<B> {
        #[pin]
        inner: B,
        permit: Option<BulkheadPermit>,
    }
}

impl<B: Body> Body for PermitBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.inner.as_mut().poll_frame(context));
        if !matches!(frame, Some(Ok(_))) || this.inner.is_end_stream() {
            this.permit.take();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
