use std::mem;
use std::sync::{Arc, Mutex, OnceLock};

use tracing::Level;
use tracing::level_filters::LevelFilter;

use super::RequestContext;
use super::request::Inner;
use crate::clock::{Instant, Timestamp};
use crate::deadline::Deadline;
use crate::id::{CorrelationId, SpanId, TraceId};
use crate::log::Ids;
use crate::propagate::{Extracted, TraceParent};
use crate::telemetry::Telemetry;

/// Builds a [`RequestContext`]; ids that are not given are generated.
///
/// The trace id is there from the start, so that a sampler can be asked before the verdict is
/// built in:
///
/// ```
/// use obs_core::context::RequestContext;
/// use obs_core::telemetry::Telemetry;
/// use obs_core::trace::SamplingInput;
///
/// # fn example(telemetry: &Telemetry, extracted: obs_core::propagate::Extracted) {
/// let now = telemetry.clock().now();
/// let mut builder = RequestContext::builder(telemetry).extracted(extracted, now);
/// let input = SamplingInput::new(builder.trace_id(), telemetry.service_name())
///     .parent_sampled(builder.parent_sampled());
/// let verdict = telemetry.tracer().decide(&input);
/// let context = builder.sampled(verdict.sampled).build();
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing exists until it is built"]
pub struct RequestContextBuilder {
    telemetry: Telemetry,
    extracted: Extracted,
    trace_id: Option<TraceId>,
    span_id: Option<SpanId>,
    sampled: bool,
    deadline: Option<Deadline>,
    debug_level: Option<LevelFilter>,
}

impl RequestContextBuilder {
    #[inline]
    pub(super) fn new(telemetry: &Telemetry) -> Self {
        Self {
            telemetry: telemetry.clone(),
            extracted: Extracted::default(),
            trace_id: None,
            span_id: None,
            sampled: false,
            deadline: None,
            debug_level: None,
        }
    }

    /// Takes over what the headers told; a timeout counts from `now`, the request's arrival.
    #[inline]
    pub fn extracted(mut self, extracted: Extracted, now: Instant) -> Self {
        self.deadline = extracted.timeout.map(|timeout| Deadline::after(now, timeout));
        self.trace_id = extracted.parent.as_ref().map(|parent| parent.trace_id);
        self.extracted = extracted;
        self
    }

    /// The trace: the caller's, else a new one.
    #[inline]
    #[must_use]
    pub fn trace_id(&mut self) -> TraceId {
        let telemetry = &self.telemetry;
        *self.trace_id.get_or_insert_with(|| telemetry.ids().trace_id(telemetry.clock()))
    }

    /// The caller's sampling verdict; `None` leaves it to the sampler.
    #[inline]
    #[must_use]
    pub fn parent_sampled(&self) -> Option<bool> {
        self.parent().and_then(|parent| parent.sampled)
    }

    /// What the headers told about the trace to continue.
    #[inline]
    #[must_use]
    pub fn parent(&self) -> Option<&TraceParent> {
        self.extracted.parent.as_ref()
    }

    /// Sets whether its spans are exported. Default not.
    #[inline]
    pub const fn sampled(mut self, sampled: bool) -> Self {
        self.sampled = sampled;
        self
    }

    /// Sets the id of the request's own span. Default a new one.
    #[inline]
    pub const fn span_id(mut self, id: SpanId) -> Self {
        self.span_id = Some(id);
        self
    }

    /// Sets the correlation id. Default what the headers told, else a new one.
    pub const fn correlation_id(mut self, id: CorrelationId) -> Self {
        self.extracted.correlation_id = Some(id);
        self
    }

    /// Brings the deadline forward to `deadline`; one that is earlier already stays.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use obs_core::context::RequestContext;
    /// use obs_core::deadline::Deadline;
    /// use obs_core::id::{CorrelationId, SpanId};
    /// use obs_core::telemetry::Telemetry;
    /// use tracing::level_filters::LevelFilter;
    ///
    /// let telemetry = Telemetry::builder("orders").build()?;
    /// let deadline = Deadline::after(telemetry.clock().now(), Duration::from_secs(2));
    /// let builder = RequestContext::builder(&telemetry)
    ///     .span_id(SpanId::new(7).expect("not zero"))
    ///     .correlation_id(CorrelationId::parse(b"order-7").expect("it is short and plain"))
    ///     .deadline(deadline)
    ///     .debug_level(LevelFilter::DEBUG);
    /// assert!(builder.parent().is_none());
    /// let request = builder.build();
    /// assert_eq!(request.correlation_id().as_str(), "order-7");
    /// assert_eq!(request.deadline(), Some(deadline));
    /// assert_eq!(request.debug_level(), Some(LevelFilter::DEBUG));
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn deadline(mut self, deadline: Deadline) -> Self {
        self.deadline = Some(self.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
        self
    }

    /// Sets the level down to which lines are written for this request. Default what a valid
    /// `x-obs-debug` asks for.
    #[inline]
    pub const fn debug_level(mut self, level: LevelFilter) -> Self {
        self.debug_level = Some(level);
        self
    }

    /// The context.
    #[must_use]
    pub fn build(mut self) -> RequestContext {
        let trace_id = self.trace_id();
        let Self { telemetry, mut extracted, span_id, sampled, deadline, debug_level, .. } = self;
        let own = Own { trace_id, span_id, sampled, deadline, debug_level };
        let now = telemetry.clock().wall();
        assemble(telemetry, &mut extracted, own, now)
    }
}

impl RequestContext {
    /// The context of a request whose headers told `extracted` and which arrived at `now`, by the
    /// monotonic and by the wall clock; a timeout counts from then. `is_sampled` is asked with the
    /// trace and the caller's verdict.
    ///
    /// The same as a [`builder`](Self::builder) makes, at less cost: nothing is moved twice, and
    /// the clock is not read again. What the context keeps is taken out of `extracted`.
    ///
    /// ```
    /// use http::HeaderMap;
    /// use obs_core::context::RequestContext;
    /// use obs_core::propagate::TrustPolicy;
    /// use obs_core::telemetry::Telemetry;
    ///
    /// let telemetry = Telemetry::builder("orders").build()?;
    /// let mut extracted = telemetry.propagators().extract(&HeaderMap::new(), &TrustPolicy::edge());
    /// let now = (telemetry.clock().now(), telemetry.clock().wall());
    /// let request = RequestContext::received(&telemetry, &mut extracted, now, |_, _| true);
    /// assert!(request.is_sampled());
    /// assert_eq!((request.parent_span_id(), request.attempt()), (None, None));
    /// assert!(request.links().is_empty() && request.trace_state().is_empty());
    /// assert_eq!(request.xray_extras().forwarded(), "");
    /// assert!(request.debug_token().is_none() && request.flight_recorder().is_none());
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn received(
        telemetry: &Telemetry,
        extracted: &mut Extracted,
        (now, wall): (Instant, Timestamp),
        is_sampled: impl FnOnce(TraceId, Option<bool>) -> bool,
    ) -> Self {
        let parent = extracted.parent.as_ref();
        let parent_sampled = parent.and_then(|parent| parent.sampled);
        let trace_id = parent.map(|parent| parent.trace_id);
        let trace_id = trace_id.unwrap_or_else(|| telemetry.ids().trace_id_at(wall));
        let own = Own {
            trace_id,
            span_id: None,
            sampled: is_sampled(trace_id, parent_sampled),
            deadline: extracted.timeout.map(|timeout| Deadline::after(now, timeout)),
            debug_level: None,
        };
        assemble(telemetry.clone(), extracted, own, wall)
    }
}

/// What belongs to a request beside what its headers told.
struct Own {
    trace_id: TraceId,
    span_id: Option<SpanId>,
    sampled: bool,
    deadline: Option<Deadline>,
    debug_level: Option<LevelFilter>,
}

/// Makes the context, and takes out of `extracted` what it needs.
fn assemble(
    telemetry: Telemetry,
    extracted: &mut Extracted,
    own: Own,
    now: Timestamp,
) -> RequestContext {
    let Own { trace_id, span_id, sampled, deadline, debug_level } = own;
    let parent = extracted.parent.take();
    let is_new = parent.is_none();
    let parent = parent.unwrap_or_else(|| TraceParent::new(trace_id));
    let ids = telemetry.ids();
    let correlation_id = match extracted.correlation_id.take() {
        Some(id) => id,
        None => ids.correlation_id_at(now),
    };
    let mut inner = Inner {
        correlation_id,
        trace_id,
        span_id: span_id.unwrap_or_else(|| ids.span_id()),
        parent_span_id: parent.parent_span,
        sampled,
        random: is_new || parent.random,
        trace_state: parent.tracestate,
        xray: parent.xray,
        links: mem::take(&mut extracted.links),
        deadline,
        attempt: extracted.attempt,
        debug: extracted.debug.take(),
        debug_level,
        tenant_id: once(extracted.tenant_id.take()),
        user_id: once(extracted.user_id.take()),
        baggage: Mutex::new(mem::take(&mut extracted.baggage)),
        recorded: Mutex::default(),
        inherited: OnceLock::new(),
        flight_recorder: telemetry.flight_recorder().map(Box::new),
        telemetry,
    };
    if inner.debug.is_some() || extracted.other_trace.is_some() {
        look_closer(&mut inner, extracted.other_trace);
    }
    RequestContext::new(inner)
}

/// What few requests need: a level of their own, and to be told that two headers disagree.
#[cold]
fn look_closer(inner: &mut Inner, other_trace: Option<TraceId>) {
    let telemetry = &inner.telemetry;
    let ids = Ids {
        correlation_id: Some(&inner.correlation_id),
        trace_id: Some(inner.trace_id),
        span_id: Some(inner.span_id),
        ..Ids::default()
    };
    if let (None, Some(token)) = (inner.debug_level, &inner.debug) {
        inner.debug_level = telemetry.raised_level(token, &ids);
    }
    if let Some(other) = other_trace {
        tell_of_two_traces(telemetry, inner.debug_level, &ids, other);
    }
}

fn tell_of_two_traces(
    telemetry: &Telemetry,
    debug_level: Option<LevelFilter>,
    ids: &Ids<'_>,
    other: TraceId,
) {
    const TARGET: &str = "obs_core::propagate";
    let is_raised = debug_level.is_some_and(|most| Level::DEBUG <= most);
    if is_raised || telemetry.is_enabled(Level::DEBUG, TARGET) {
        let message = format_args!("two headers name different traces");
        telemetry.line(Level::DEBUG, TARGET, message, ids, |line| {
            line.str("other_trace_id", &other.to_hex());
        });
    }
}

fn once(value: Option<Arc<str>>) -> OnceLock<Arc<str>> {
    value.map_or_else(OnceLock::new, OnceLock::from)
}
