use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::HeaderMap;
use lambda_runtime::LambdaEvent;
use obs_core::clock::{Instant, Timestamp};
use obs_core::config::ConfigError;
use obs_core::context::RequestContext;
use obs_core::deadline::Deadline;
use obs_core::metric::{Descriptor, Unit};
use obs_core::propagate::{TrustPolicy, field, header_value};
use obs_core::telemetry::Telemetry;
use obs_core::trace::{SamplingInput, SpanKind};
use obs_emf::Shape;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

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

/// How long an answer waits for what must be written before it, at most.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// Observes the invocations of a Lambda function; clones share their state.
#[derive(Clone, Debug)]
pub struct LambdaLayer {
    kind: Arc<Kind>,
    warm: Arc<AtomicBool>,
    /// When the last answer was given, in nanoseconds; 0 before the first.
    answered: Arc<AtomicU64>,
    flush_limit: Duration,
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
            message: "invocation completed",
            target: TARGET,
            span_name: telemetry.service_name().into(),
            span_kind: SpanKind::Server,
            shape: shape.build()?,
        };
        let warm = Arc::new(AtomicBool::new(false));
        let answered = Arc::new(AtomicU64::new(0));
        Ok(Self { kind: Arc::new(kind), warm, answered, flush_limit: FLUSH_LIMIT })
    }

    /// Sets how long an answer waits for lines, metrics and spans to be written, at most; never
    /// longer than the time the invocation has left. Default 1 s.
    #[must_use]
    pub const fn flush_limit(mut self, limit: Duration) -> Self {
        self.flush_limit = limit;
        self
    }

    fn begin(&self, invocation: &lambda_runtime::Context) -> (Work, Option<Deadline>) {
        let telemetry = &self.kind.telemetry;
        let (now, wall) = (telemetry.clock().now(), telemetry.clock().wall());
        let answered = self.answered.load(Ordering::Relaxed);
        if answered != 0 {
            // The environment may have been frozen since, and work left over from then is no slower.
            telemetry.clock().note_frozen(Instant::from_nanos(answered), now);
        }
        let mut headers = HeaderMap::new();
        let trace = invocation.xray_trace_id.as_deref();
        if let Some(trace) = trace.and_then(|trace| header_value(trace.as_bytes())) {
            headers.insert(&field::X_AMZN_TRACE_ID, trace);
        }
        let policy = TrustPolicy::internal();
        let extracted = telemetry.propagators().extract(&headers, &policy);
        let mut builder = RequestContext::builder(telemetry).extracted(extracted, now);
        // 0 stands for an invocation without a deadline, as some emulators have it.
        let ends =
            (invocation.deadline > 0).then(|| Timestamp::from_unix_millis(invocation.deadline));
        let remaining = ends.map(|ends| ends.saturating_duration_since(wall));
        let deadline = remaining.map(|remaining| Deadline::after(now, remaining));
        if let Some(deadline) = deadline {
            builder = builder.deadline(deadline);
        }
        let input = SamplingInput::new(builder.trace_id(), telemetry.service_name())
            .parent_sampled(builder.parent_sampled());
        let sampled = telemetry.tracer().decide(&input).sampled;
        let context = builder.sampled(sampled).build();
        if let Some(tenant) = &invocation.tenant_id {
            context.set_tenant_id(tenant.as_str());
        }

        let cold = !self.warm.swap(true, Ordering::Relaxed);
        let mut work = Work::begin(Arc::clone(&self.kind), context);
        work.field("function_request_id", invocation.request_id.clone());
        work.field("function_arn", invocation.invoked_function_arn.clone());
        work.field("cold_start", cold);
        if let Some(remaining) = remaining {
            work.field("remaining_ms", milliseconds(remaining));
        }
        work.attribute("faas.invocation_id", invocation.request_id.clone());
        work.attribute("cloud.resource_id", invocation.invoked_function_arn.clone());
        work.attribute("faas.coldstart", if cold { "true" } else { "false" });
        work.value(f64::from(u8::from(cold)));
        (work, deadline)
    }
}

impl<S> Layer<S> for LambdaLayer {
    type Service = Lambda<S>;

    fn layer(&self, inner: S) -> Lambda<S> {
        Lambda { inner, layer: self.clone() }
    }
}

/// The service of [`LambdaLayer`].
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
        let (work, deadline) = self.layer.begin(&event.context);
        let future = {
            let _entered = work.enter();
            self.inner.call(event)
        };
        LambdaFuture {
            inner: work.watch(future),
            telemetry: self.layer.kind.telemetry.clone(),
            answered: Arc::clone(&self.layer.answered),
            flush_limit: self.layer.flush_limit,
            deadline,
        }
    }
}

pin_project! {
    /// The response future of [`Lambda`].
    ///
    /// It blocks its thread while it flushes, before it is ready: an environment serves one
    /// invocation at a time, and is frozen after its answer.
    pub struct LambdaFuture<F> {
        #[pin]
        inner: Watched<F>,
        telemetry: Telemetry,
        answered: Arc<AtomicU64>,
        flush_limit: Duration,
        deadline: Option<Deadline>,
    }
}

impl<F, T, E> Future for LambdaFuture<F>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = ready!(this.inner.poll(context));
        let now = this.telemetry.clock().now();
        let left = this.deadline.map_or(Duration::MAX, |deadline| deadline.remaining(now));
        // What was not done by then is written in the next invocation.
        let _ = this.telemetry.flush(left.min(*this.flush_limit));
        this.answered.store(this.telemetry.clock().now().as_nanos(), Ordering::Relaxed);
        Poll::Ready(result)
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
