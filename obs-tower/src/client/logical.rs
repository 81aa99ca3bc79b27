//! One logical call, however many attempts it takes.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};

use http::Request;
use obs_core::clock::{Instant, Timestamp};
use obs_core::context::{RequestContext, SpanGuard, enter_span};
use obs_core::id::SpanId;
use obs_core::telemetry::Telemetry;
use obs_core::trace::{SpanKind, SpanRecord, Status, Text};
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

/// Spans a logical call: put it outside of what retries, and a
/// [`ClientLayer`](super::ClientLayer) inside.
///
/// Each attempt is then a client span below the logical one, numbered from 1, and the callee is
/// told the number. The logical span ends at the headers of the last response. Outside of a
/// request, and in requests that are not sampled, there is none; attempts are numbered all the
/// same.
///
/// ```
/// use obs_core::telemetry::Telemetry;
/// use obs_tower::client::{ClientLayer, LogicalCallLayer};
/// use tower::ServiceBuilder;
///
/// # fn stack(telemetry: Telemetry) {
/// let stack = ServiceBuilder::new()
///     // Outside of the retries: one span for all of them.
///     .layer(LogicalCallLayer::new(telemetry.clone(), "reserve stock"))
///     // .layer(retry)
///     // Inside: a span for each.
///     .layer(ClientLayer::new(telemetry));
/// # let _ = stack;
/// # }
/// ```
#[derive(Clone)]
pub struct LogicalCallLayer {
    telemetry: Telemetry,
    name: Arc<str>,
}

/// How many attempts of a call there were; shared by the clones of its request.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempts(Arc<AtomicU32>);

impl Attempts {
    /// The number of the attempt that begins now.
    pub(super) fn next(&self) -> u32 {
        // Relaxed: attempts of one call follow each other.
        self.0.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }
}

impl LogicalCallLayer {
    /// A layer whose spans have this name, which should come from a small set.
    #[must_use]
    pub fn new(telemetry: Telemetry, name: impl Into<Arc<str>>) -> Self {
        Self { telemetry, name: name.into() }
    }
}

impl<S> Layer<S> for LogicalCallLayer {
    type Service = LogicalCall<S>;

    fn layer(&self, inner: S) -> LogicalCall<S> {
        LogicalCall { inner, layer: self.clone() }
    }
}

/// The service of [`LogicalCallLayer`].
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use obs_core::telemetry::Telemetry;
/// use obs_tower::client::LogicalCallLayer;
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let telemetry = Telemetry::builder("orders").build()?;
/// let reserve = LogicalCallLayer::new(telemetry, "reserve stock")
///     .layer(service_fn(|_: Request<()>| async { Ok::<_, std::io::Error>(Response::new(Bytes::new())) }));
/// assert_eq!(reserve.oneshot(Request::new(())).await?.status(), 200);
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct LogicalCall<S> {
    inner: S,
    layer: LogicalCallLayer,
}

impl<S, B> Service<Request<B>> for LogicalCall<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = LogicalCallFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let attempts = Attempts::default();
        request.extensions_mut().insert(attempts.clone());
        let span = OpenSpan::begin(&self.layer, attempts);
        let inner = {
            let _entered = span.as_ref().map(OpenSpan::enter);
            self.inner.call(request)
        };
        LogicalCallFuture { inner, span }
    }
}

pin_project! {
    /// The response future of [`LogicalCall`].
    ///
    /// Dropping it before it is ready ends the span as given up.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Request, Response};
    /// use obs_core::telemetry::Telemetry;
    /// use obs_tower::client::LogicalCallLayer;
    /// use tower::{Layer, Service, service_fn};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// let telemetry = Telemetry::builder("orders").build()?;
    /// let mut reserve = LogicalCallLayer::new(telemetry, "reserve stock")
    ///     .layer(service_fn(|_: Request<()>| async { Ok::<_, std::io::Error>(Response::new(Bytes::new())) }));
    /// let future = reserve.call(Request::new(()));
    /// assert_eq!(future.await?.status(), 200);
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub struct LogicalCallFuture<F> {
        #[pin]
        inner: F,
        span: Option<OpenSpan>,
    }
}

impl<F, T, E> Future for LogicalCallFuture<F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = {
            let _entered = this.span.as_ref().map(OpenSpan::enter);
            ready!(this.inner.poll(context))
        };
        if let Some(mut span) = this.span.take() {
            span.status =
                if result.is_ok() { Status::Unset } else { Status::error("service_error") };
        }
        Poll::Ready(result)
    }
}

/// The span of a logical call, exported when it is dropped.
struct OpenSpan {
    layer: LogicalCallLayer,
    context: RequestContext,
    attempts: Attempts,
    span_id: SpanId,
    parent: SpanId,
    started: Instant,
    wall: Timestamp,
    status: Status,
}

impl OpenSpan {
    fn begin(layer: &LogicalCallLayer, attempts: Attempts) -> Option<Self> {
        let context = RequestContext::current().filter(RequestContext::is_sampled)?;
        let telemetry = &layer.telemetry;
        telemetry.tracer().is_recording().then(|| Self {
            parent: context.current_span_id(),
            span_id: telemetry.ids().span_id(),
            started: telemetry.clock().now(),
            wall: telemetry.clock().wall(),
            status: Status::error("cancelled"),
            layer: layer.clone(),
            context,
            attempts,
        })
    }

    fn enter(&self) -> SpanGuard {
        enter_span(self.span_id)
    }
}

impl Drop for OpenSpan {
    fn drop(&mut self) {
        let Self { layer, context, .. } = self;
        let name = Text::from(Arc::clone(&layer.name));
        let mut span = SpanRecord::new(name, SpanKind::Internal, context.trace_id(), self.span_id);
        span.parent_span_id = Some(self.parent);
        span.start = self.wall;
        span.end = self.wall.saturating_add(layer.telemetry.clock().now() - self.started);
        span.status = std::mem::take(&mut self.status);
        span.attributes.push("attempts", self.attempts.0.load(Ordering::Relaxed));
        context.annotate_span(&mut span);
        layer.telemetry.tracer().export(span);
    }
}

impl fmt::Debug for LogicalCallLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogicalCallLayer").field(&self.name).finish()
    }
}

impl<S: fmt::Debug> fmt::Debug for LogicalCall<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogicalCall").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for LogicalCallFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogicalCallFuture").finish_non_exhaustive()
    }
}
