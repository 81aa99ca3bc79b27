use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::HeaderMap;
use lambda_runtime::LambdaEvent;
use obs_core::config::ConfigError;
use obs_core::context::RequestContext;
use obs_core::log::LineHead;
use obs_core::metric::{Descriptor, Unit};
use obs_core::propagate::{TrustPolicy, field, header_value};
use obs_core::telemetry::Telemetry;
use obs_core::trace::{SamplingInput, SpanKind};
use obs_emf::Shape;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::flush::{Flush, Flusher};
use super::invocation::{Invocation, Warmth};
use crate::exchange::milliseconds;
use crate::work::{Kind, Watched, Work};

/// The target of the lines of invocations, by which `RUST_LOG` filters them.
pub const TARGET: &str = "obs_tower::lambda";

/// Invocations that ended.
pub static INVOCATIONS: Descriptor =
    Descriptor::new("Invocations", Unit::Count, "Invocations that ended");
/// Invocations that failed.
pub static INVOCATION_FAULTS: Descriptor =
    Descriptor::new("InvocationFaults", Unit::Count, "Invocations that failed");
/// Time from the beginning of an invocation to its end.
pub static INVOCATION_LATENCY: Descriptor =
    Descriptor::new("InvocationLatency", Unit::Milliseconds, "Time that an invocation took");
/// Invocations that were the first of their environment.
pub static COLD_STARTS: Descriptor =
    Descriptor::new("ColdStarts", Unit::Count, "Invocations that were the first of their process");

/// Observes the invocations of a Lambda function; clones share their state.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::telemetry::Telemetry;
/// use obs_tower::lambda::LambdaLayer;
///
/// let telemetry = Telemetry::builder("billing").build()?;
/// let layer = LambdaLayer::new(&telemetry)?.flush_limit(Duration::from_millis(500));
/// # let _ = layer;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct LambdaLayer {
    kind: Arc<Kind>,
    warmth: Warmth,
    flusher: Flusher,
}

impl LambdaLayer {
    /// A layer for the function of `telemetry`.
    ///
    /// # Errors
    /// [`ConfigError`] if the name of the service makes no valid metrics.
    pub fn new(telemetry: &Telemetry) -> Result<Self, ConfigError> {
        let namespace = telemetry.environment().get("AWS_EMF_NAMESPACE");
        let mut shape = Shape::builder(namespace.unwrap_or(telemetry.service_name()))
            .dimension_set(["Service", "Environment"])
            .constant("Service", telemetry.service_name())
            .constant("Environment", telemetry.deployment_environment())
            .entity(telemetry.resource());
        for metric in [&INVOCATIONS, &INVOCATION_FAULTS, &INVOCATION_LATENCY, &COLD_STARTS] {
            shape = shape.metric(metric);
        }
        let kind = Kind {
            telemetry: telemetry.clone(),
            head: LineHead::new("invocation completed", TARGET),
            span_name: telemetry.service_name().into(),
            span_kind: SpanKind::Server,
            shape: shape.build()?,
        };
        let warmth = Warmth::default();
        Ok(Self { kind: Arc::new(kind), warmth, flusher: Flusher::new(telemetry.clone()) })
    }

    /// Sets how long an answer waits for lines, metrics and spans to be written, at most; never
    /// longer than the time the invocation has left. Default 1 s.
    #[must_use]
    pub const fn flush_limit(mut self, limit: Duration) -> Self {
        self.flusher.set_limit(limit);
        self
    }

    fn begin(&self, event: &lambda_runtime::Context) -> (Work, Flush) {
        self.flusher.resume();
        let invocation = Invocation::of(event, self.kind.telemetry.clock());
        let mut work = Work::begin(Arc::clone(&self.kind), self.context(event, &invocation));
        let cold = self.warmth.is_cold();
        work.attribute("faas.invocation_id", invocation.request_id.clone());
        work.attribute("cloud.resource_id", invocation.function_arn.clone());
        work.attribute("faas.coldstart", if cold { "true" } else { "false" });
        let flush = self.flusher.until(invocation.deadline());
        work.field("function_request_id", invocation.request_id);
        work.field("function_arn", invocation.function_arn);
        work.field("cold_start", cold);
        if let Some((remaining, _)) = invocation.limit {
            work.field("remaining_ms", milliseconds(remaining));
        }
        work.value(f64::from(u8::from(cold)));
        (work, flush)
    }

    fn context(&self, event: &lambda_runtime::Context, invocation: &Invocation) -> RequestContext {
        let telemetry = &self.kind.telemetry;
        let mut headers = HeaderMap::new();
        let trace = event.xray_trace_id.as_deref();
        if let Some(trace) = trace.and_then(|trace| header_value(trace.as_bytes())) {
            headers.insert(&field::X_AMZN_TRACE_ID, trace);
        }
        let extracted = telemetry.propagators().extract(&headers, &TrustPolicy::internal());
        let now = telemetry.clock().now();
        let mut builder = RequestContext::builder(telemetry).extracted(extracted, now);
        if let Some(deadline) = invocation.deadline() {
            builder = builder.deadline(deadline);
        }
        let input = SamplingInput::new(builder.trace_id(), telemetry.service_name())
            .parent_sampled(builder.parent_sampled());
        let sampled = telemetry.tracer().decide(&input).sampled;
        let context = builder.sampled(sampled).build();
        if let Some(tenant) = &event.tenant_id {
            context.set_tenant_id(tenant.as_str());
        }
        context
    }
}

impl<S> Layer<S> for LambdaLayer {
    type Service = Lambda<S>;

    fn layer(&self, inner: S) -> Lambda<S> {
        Lambda { inner, layer: self.clone() }
    }
}

/// The service of [`LambdaLayer`].
///
/// ```
/// use lambda_runtime::{Context, LambdaEvent};
/// use obs_core::telemetry::Telemetry;
/// use obs_tower::lambda::LambdaLayer;
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let telemetry = Telemetry::builder("billing").build()?;
/// let function = LambdaLayer::new(&telemetry)?
///     .layer(service_fn(|event: LambdaEvent<u32>| async move { Ok::<_, std::io::Error>(event.payload) }));
/// assert_eq!(function.oneshot(LambdaEvent::new(7, Context::default())).await?, 7);
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Lambda<S> {
    inner: S,
    layer: LambdaLayer,
}

impl<S, P> Service<LambdaEvent<P>> for Lambda<S>
where
    S: Service<LambdaEvent<P>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = LambdaFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, event: LambdaEvent<P>) -> Self::Future {
        let (work, flush) = self.layer.begin(&event.context);
        let future = {
            let _entered = work.enter();
            self.inner.call(event)
        };
        LambdaFuture { inner: work.watch(future), flush: Some(flush) }
    }
}

pin_project! {
    /// The response future of [`Lambda`].
    ///
    /// It blocks its thread while it flushes, before it is ready: an environment serves one
    /// invocation at a time, and is frozen after its answer. A panic goes on after the flush.
    ///
    /// ```
    /// use lambda_runtime::{Context, LambdaEvent};
    /// use obs_core::telemetry::Telemetry;
    /// use obs_tower::lambda::LambdaLayer;
    /// use tower::{Layer, Service, service_fn};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// let telemetry = Telemetry::builder("billing").build()?;
    /// let mut function = LambdaLayer::new(&telemetry)?
    ///     .layer(service_fn(|event: LambdaEvent<u32>| async move { Ok::<_, std::io::Error>(event.payload) }));
    /// let future = function.call(LambdaEvent::new(7, Context::default()));
    /// assert_eq!(future.await?, 7);
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub struct LambdaFuture<F> {
        #[pin]
        inner: Watched<F>,
        flush: Option<Flush>,
    }
}

impl<F, T, E> Future for LambdaFuture<F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = catch_unwind(AssertUnwindSafe(|| this.inner.poll(context)));
        if !matches!(polled, Ok(Poll::Pending))
            && let Some(flush) = this.flush.take()
        {
            flush.run();
        }
        // The runtime answers a panic too, and the environment is frozen after it.
        polled.unwrap_or_else(|payload| resume_unwind(payload))
    }
}

impl<S: fmt::Debug> fmt::Debug for Lambda<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lambda").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for LambdaFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LambdaFuture").finish_non_exhaustive()
    }
}
