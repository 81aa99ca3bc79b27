use std::sync::{Arc, Mutex, OnceLock};

use tracing::Level;
use tracing::level_filters::LevelFilter;

use super::RequestContext;
use super::request::Inner;
use crate::clock::Instant;
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
    pub fn extracted(mut self, extracted: Extracted, now: Instant) -> Self {
        self.deadline = extracted.timeout.map(|timeout| Deadline::after(now, timeout));
        self.trace_id = extracted.parent.as_ref().map(|parent| parent.trace_id);
        self.extracted = extracted;
        self
    }

    /// The trace: the caller's, else a new one.
    #[must_use]
    pub fn trace_id(&mut self) -> TraceId {
        let telemetry = &self.telemetry;
        *self.trace_id.get_or_insert_with(|| telemetry.ids().trace_id(telemetry.clock()))
    }

    /// The caller's sampling verdict; `None` leaves it to the sampler.
    #[must_use]
    pub fn parent_sampled(&self) -> Option<bool> {
        self.parent().and_then(|parent| parent.sampled)
    }

    /// What the headers told about the trace to continue.
    #[must_use]
    pub fn parent(&self) -> Option<&TraceParent> {
        self.extracted.parent.as_ref()
    }

    /// Sets whether its spans are exported. Default not.
    pub const fn sampled(mut self, sampled: bool) -> Self {
        self.sampled = sampled;
        self
    }

    /// Sets the id of the request's own span. Default a new one.
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
    pub fn deadline(mut self, deadline: Deadline) -> Self {
        self.deadline = Some(self.deadline.map_or(deadline, |earlier| earlier.min(deadline)));
        self
    }

    /// Sets the level down to which lines are written for this request. Default what a valid
    /// `x-obs-debug` asks for.
    pub const fn debug_level(mut self, level: LevelFilter) -> Self {
        self.debug_level = Some(level);
        self
    }

    /// The context.
    #[must_use]
    pub fn build(mut self) -> RequestContext {
        let trace_id = self.trace_id();
        let Self { telemetry, extracted, span_id, sampled, deadline, debug_level, .. } = self;
        let is_new = extracted.parent.is_none();
        let parent = extracted.parent.unwrap_or_else(|| TraceParent::new(trace_id));
        let ids = telemetry.ids();
        let correlation_id =
            extracted.correlation_id.unwrap_or_else(|| ids.correlation_id(telemetry.clock()));
        let span_id = span_id.unwrap_or_else(|| ids.span_id());
        let ids = Ids {
            correlation_id: Some(&correlation_id),
            trace_id: Some(trace_id),
            span_id: Some(span_id),
            ..Ids::default()
        };
        let debug_level =
            debug_level.or_else(|| telemetry.raised_level(extracted.debug.as_deref()?, &ids));
        if let Some(other) = extracted.other_trace {
            tell_of_two_traces(&telemetry, debug_level, &ids, other);
        }
        RequestContext::new(Inner {
            correlation_id,
            trace_id,
            span_id,
            parent_span_id: parent.parent_span,
            sampled,
            random: is_new || parent.random,
            trace_state: parent.tracestate,
            xray: parent.xray,
            links: extracted.links,
            deadline,
            attempt: extracted.attempt,
            debug: extracted.debug,
            debug_level,
            tenant_id: once(extracted.tenant_id),
            user_id: once(extracted.user_id),
            baggage: Mutex::new(extracted.baggage),
            recorded: Mutex::default(),
            flight_recorder: telemetry.flight_recorder(),
            telemetry,
        })
    }
}

#[cold]
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
