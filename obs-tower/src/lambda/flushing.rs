use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::flush::{Flush, Flusher};
use super::invocation::Invocation;

/// An HTTP service whose records are written before its answers end; made by
/// [`LambdaHttpLayer::flushing`](super::LambdaHttpLayer::flushing).
#[derive(Clone)]
pub struct Flushing<S> {
    inner: S,
    flusher: Flusher,
}

impl<S> Flushing<S> {
    pub(super) const fn new(inner: S, flusher: Flusher) -> Self {
        Self { inner, flusher }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Flushing<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
{
    type Response = Response<FlushingBody<ResBody>>;
    type Error = S::Error;
    type Future = FlushingFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let invocation = Invocation::behind(&request, self.flusher.telemetry().clock());
        let flush = invocation.map(|invocation| self.flusher.until(invocation.deadline()));
        FlushingFuture { inner: self.inner.call(request), flush }
    }
}

pin_project! {
    /// The response future of [`Flushing`]. One that ends with an error flushes before it is ready.
    pub struct FlushingFuture<F> {
        #[pin]
        inner: F,
        flush: Option<Flush>,
    }
}

impl<F, B, E> Future for FlushingFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<FlushingBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.inner.poll(context));
        let flush = this.flush.take();
        Poll::Ready(match result {
            Ok(response) => Ok(response.map(|inner| FlushingBody { inner: Some(inner), flush })),
            Err(error) => {
                if let Some(flush) = flush {
                    flush.run();
                }
                Err(error)
            }
        })
    }
}

pin_project! {
    /// The response body of [`Flushing`].
    ///
    /// It blocks its thread while it flushes, at the end of the body or when it is dropped: an
    /// environment serves one request at a time, and is frozen after its answer.
    pub struct FlushingBody<B> {
        // Dropped before the flush, which is to write what the drop leaves.
        #[pin]
        inner: Option<B>,
        flush: Option<Flush>,
    }

    impl<B> PinnedDrop for FlushingBody<B> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            this.inner.set(None);
            if let Some(flush) = this.flush.take() {
                flush.run();
            }
        }
    }
}

impl<B: Body> Body for FlushingBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Some(inner) = this.inner.as_mut().as_pin_mut() else { return Poll::Ready(None) };
        let frame = ready!(inner.poll_frame(context));
        if !matches!(frame, Some(Ok(_)))
            && let Some(flush) = this.flush.take()
        {
            flush.run();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl<S: fmt::Debug> fmt::Debug for Flushing<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flushing").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for FlushingFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlushingFuture").finish_non_exhaustive()
    }
}

impl<B: fmt::Debug> fmt::Debug for FlushingBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlushingBody").field("inner", &self.inner).finish_non_exhaustive()
    }
}
