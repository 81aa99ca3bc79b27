use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Request;
use obs_core::context::RequestContext;
use obs_core::deadline::Deadline;
use obs_core::telemetry::Telemetry;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::flush::Flusher;
use super::flushing::Flushing;
use super::invocation::{Invocation, Warmth};
use super::layer::COLD_STARTS;
use crate::exchange::milliseconds;

/// Makes an observed HTTP service a Lambda function; clones share their state.
///
/// The record of the request is the one that [`ObserveLayer`](crate::observe::ObserveLayer)
/// leaves. Inside of that layer, this one adds to it what Lambda knows of the invocation:
/// `function_request_id`, `cold_start`, `remaining_ms`, the metric `ColdStarts`; and makes the time
/// that is left the deadline of the handler and of what it calls. Outside of it,
/// [`flushing`](Self::flushing) has everything written before the function answers.
///
/// ```no_run
/// use axum::{Router, routing::get};
/// use obs_core::telemetry::Telemetry;
/// use obs_tower::lambda::LambdaHttpLayer;
/// use obs_tower::observe::ObserveLayer;
///
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> Result<(), lambda_http::Error> {
///     let telemetry = Telemetry::builder("orders").build()?;
///     let lambda = LambdaHttpLayer::new(telemetry.clone());
///     let app = Router::new()
///         .route("/orders/{id}", get(async || "order"))
///         // Inside: the invocation is part of the request's record.
///         .layer(lambda.clone())
///         .layer(ObserveLayer::new(telemetry));
///     // Outermost: what the record leaves is written before the answer.
///     lambda_http::run(lambda.flushing(app)).await
/// }
/// ```
///
/// A request without Lambda's context, as when the same service runs elsewhere, is passed on.
#[derive(Clone, Debug)]
pub struct LambdaHttpLayer {
    flusher: Flusher,
    warmth: Warmth,
}

impl LambdaHttpLayer {
    /// A layer for the function of `telemetry`.
    #[must_use]
    pub fn new(telemetry: Telemetry) -> Self {
        Self { flusher: Flusher::new(telemetry), warmth: Warmth::default() }
    }

    /// Sets how long an answer waits for lines, metrics and spans to be written, at most; never
    /// longer than the time the invocation has left. Default 1 s.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use obs_core::telemetry::Telemetry;
    /// use obs_tower::lambda::LambdaHttpLayer;
    ///
    /// // An answer that took 20 ms does not wait much longer for a collector that is away.
    /// let telemetry = Telemetry::builder("orders").build()?;
    /// let lambda = LambdaHttpLayer::new(telemetry).flush_limit(Duration::from_millis(100));
    /// # let _ = lambda;
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn flush_limit(mut self, limit: Duration) -> Self {
        self.flusher.set_limit(limit);
        self
    }

    /// Has what requests to `service` leave written before their answer ends.
    ///
    /// Put it outside of everything else.
    #[must_use]
    pub fn flushing<S>(&self, service: S) -> Flushing<S> {
        Flushing::new(service, self.flusher.clone())
    }

    /// Adds what is known of an invocation to the record of its request.
    fn describe(&self, invocation: &Invocation) {
        let cold = self.warmth.is_cold();
        RequestContext::with_current(|record| {
            record.record("function_request_id", invocation.request_id.clone());
            record.record("cold_start", cold);
            if let Some((remaining, _)) = invocation.limit {
                record.record("remaining_ms", milliseconds(remaining));
            }
            record.metric(&COLD_STARTS, f64::from(u8::from(cold)));
        });
    }
}

impl<S> Layer<S> for LambdaHttpLayer {
    type Service = LambdaHttp<S>;

    fn layer(&self, inner: S) -> LambdaHttp<S> {
        LambdaHttp { inner, layer: self.clone() }
    }
}

/// The service of [`LambdaHttpLayer`].
///
/// ```
/// use http::{Request, Response};
/// use obs_core::telemetry::Telemetry;
/// use obs_tower::lambda::LambdaHttpLayer;
/// use tower::{Layer, service_fn};
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// let service = LambdaHttpLayer::new(telemetry).layer(service_fn(|_: Request<()>| async {
///     Ok::<_, std::io::Error>(Response::new("[7]"))
/// }));
/// # let _ = service;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct LambdaHttp<S> {
    inner: S,
    layer: LambdaHttpLayer,
}

impl<S, B> Service<Request<B>> for LambdaHttp<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = LambdaHttpFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let invocation = Invocation::behind(&request, self.layer.flusher.telemetry().clock());
        if let Some(invocation) = &invocation {
            self.layer.describe(invocation);
        }
        let deadline = invocation.and_then(|invocation| invocation.deadline());
        let _limit = deadline.map(Deadline::enter);
        LambdaHttpFuture { inner: self.inner.call(request), deadline }
    }
}

pin_project! {
    /// The response future of [`LambdaHttp`]: the inner one, polled within the function's deadline.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use obs_core::telemetry::Telemetry;
    /// use obs_tower::lambda::LambdaHttpLayer;
    ///
    /// // How long the future waits at most for lines and spans to be written before it is ready.
    /// let layer = LambdaHttpLayer::new(Telemetry::builder("orders").build()?)
    ///     .flush_limit(Duration::from_millis(500));
    /// # let _ = layer;
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub struct LambdaHttpFuture<F> {
        #[pin]
        inner: F,
        deadline: Option<Deadline>,
    }
}

impl<F: Future> Future for LambdaHttpFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _limit = this.deadline.map(Deadline::enter);
        this.inner.poll(context)
    }
}

impl<S: fmt::Debug> fmt::Debug for LambdaHttp<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LambdaHttp").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for LambdaHttpFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LambdaHttpFuture").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}
