use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Buf;
use http::{Request, Response};
use http_body::Frame;
use obs_core::body::{Watched, Watcher};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::flush::{Flush, Flusher};
use super::invocation::Invocation;

/// An HTTP service whose records are written before its answers end; made by
/// [`LambdaHttpLayer::flushing`](super::LambdaHttpLayer::flushing).
///
/// ```
/// use http::{Request, Response};
/// use obs_core::telemetry::Telemetry;
/// use obs_tower::lambda::LambdaHttpLayer;
/// use tower::{ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let telemetry = Telemetry::builder("orders").build()?;
/// let lambda = LambdaHttpLayer::new(telemetry);
/// let service = lambda.flushing(service_fn(|_: Request<()>| async {
///     Ok::<_, std::io::Error>(Response::new(http_body_util::Full::<bytes::Bytes>::default()))
/// }));
/// assert_eq!(service.oneshot(Request::new(())).await?.status(), 200);
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
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
        let flush = invocation.map(|invocation| {
            self.flusher.resume();
            self.flusher.until(invocation.deadline())
        });
        FlushingFuture { inner: self.inner.call(request), flush }
    }
}

pin_project! {
    /// The response future of [`Flushing`]. One that ends with an error flushes before it is ready.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use obs_core::telemetry::Telemetry;
    /// use obs_tower::lambda::LambdaHttpLayer;
    /// use tower::{Service, service_fn};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// let lambda = LambdaHttpLayer::new(Telemetry::builder("orders").build()?);
    /// let mut service = lambda.flushing(service_fn(|_: Request<()>| async {
    ///     Ok::<_, std::io::Error>(Response::new(http_body_util::Full::<bytes::Bytes>::default()))
    /// }));
    /// let future = service.call(Request::new(()));
    /// assert_eq!(future.await?.status(), 200);
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
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
            Ok(response) => Ok(response.map(|body| FlushingBody::new(body, FlushAtEnd(flush)))),
            Err(error) => {
                if let Some(flush) = flush {
                    flush.run();
                }
                Err(error)
            }
        })
    }
}

/// The response body of [`Flushing`].
///
/// It blocks its thread while it flushes, at the end of the body or when it is dropped: an
/// environment serves one request at a time, and is frozen after its answer.
pub type FlushingBody<B> = Watched<B, FlushAtEnd>;

/// Flushes when it is dropped, which is after the body whose end it sees.
///
/// ```
/// use http::{Request, Response};
/// use http_body_util::{BodyExt, Full};
/// use obs_core::telemetry::Telemetry;
/// use obs_tower::lambda::LambdaHttpLayer;
/// use tower::{ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let lambda = LambdaHttpLayer::new(Telemetry::builder("orders").build()?);
/// let service = lambda.flushing(service_fn(|_: Request<()>| async {
///     Ok::<_, std::io::Error>(Response::new(Full::<bytes::Bytes>::from("[7]")))
/// }));
/// // Whoever reads the body to its end has waited for the flush.
/// let response = service.oneshot(Request::new(())).await?;
/// assert_eq!(response.into_body().collect().await?.to_bytes(), "[7]");
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FlushAtEnd(Option<Flush>);

impl Watcher for FlushAtEnd {
    fn frame<D: Buf>(&mut self, _: &Frame<D>, _: bool) -> bool {
        // The last frame is still to be read, and then the body to be dropped.
        false
    }

    fn end(self, _: Option<&'static str>) {}
}

impl Drop for FlushAtEnd {
    fn drop(&mut self) {
        if let Some(flush) = self.0.take() {
            flush.run();
        }
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
