use super::{TraceState, Traceparent, XrayExtras, XrayHeader};
use crate::id::{SpanId, TraceId};

/// The trace a request continues, whichever header told of it.
///
/// ```
/// use obs_core::id::{SpanId, TraceId};
/// use obs_core::propagate::TraceParent;
///
/// let trace = TraceId::from_hex("4bf92f3577b34da6a3ce929d0e0e4736").expect("32 hex digits");
/// let mut parent = TraceParent::new(trace);
/// // A load balancer sends a root alone.
/// assert_eq!((parent.parent_span, parent.sampled), (None, None));
/// parent.parent_span = SpanId::from_hex("00f067aa0ba902b7");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TraceParent {
    /// The trace.
    pub trace_id: TraceId,
    /// The caller's span; `None` behind a load balancer, which names the trace alone.
    pub parent_span: Option<SpanId>,
    /// The caller's sampling decision; `None` leaves it to us.
    pub sampled: Option<bool>,
    /// Whether the low 56 bits of the trace id are known to be random.
    pub random: bool,
    /// What other tracing systems sent along.
    pub tracestate: TraceState,
    /// What else an `X-Amzn-Trace-Id` field carried.
    pub xray: XrayExtras,
}

impl TraceParent {
    /// A parent in this trace, with nothing else known.
    #[must_use]
    pub const fn new(trace_id: TraceId) -> Self {
        Self {
            trace_id,
            parent_span: None,
            sampled: None,
            random: false,
            tracestate: TraceState::empty(),
            xray: XrayExtras::none(),
        }
    }
}

impl From<Traceparent> for TraceParent {
    fn from(header: Traceparent) -> Self {
        Self {
            parent_span: Some(header.span_id),
            sampled: Some(header.sampled),
            random: header.random,
            ..Self::new(header.trace_id)
        }
    }
}

impl From<XrayHeader> for TraceParent {
    fn from(header: XrayHeader) -> Self {
        Self {
            parent_span: header.parent,
            sampled: header.sampled,
            xray: header.extras,
            ..Self::new(header.trace_id)
        }
    }
}
