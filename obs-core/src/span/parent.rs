use crate::context::{self, Captured, RequestContext};
use crate::id::{SpanId, TraceId};
use crate::trace::{SpanKind, SpanRecord, Text, Tracer};

/// The span under which a new one belongs, and where that will go.
#[derive(Clone, Debug)]
pub(crate) struct Parent {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    pub(crate) tracer: Tracer,
}

impl Parent {
    /// The current span of the current request, if spans are recorded in it.
    #[inline]
    pub(crate) fn current() -> Option<Self> {
        context::look(|current| {
            let request = recording(current)?;
            Some(Self {
                trace_id: request.trace_id(),
                span_id: current.span_id()?,
                tracer: request.telemetry().tracer().clone(),
            })
        })
    }

    /// Whether spans are recorded in the current request.
    #[inline]
    pub(crate) fn is_recording() -> bool {
        context::look(|current| recording(current).is_some())
    }

    /// Whether spans are recorded in the current request, and it belongs to this trace.
    pub(crate) fn is_recording_in(trace_id: TraceId) -> bool {
        context::look(|current| {
            recording(current).is_some_and(|request| request.trace_id() == trace_id)
        })
    }

    /// Ends a span now: with the annotations of the whole request, if it is still at work.
    pub(crate) fn end(span: &mut SpanRecord, tracer: &Tracer) {
        span.end = tracer.clock().wall();
        RequestContext::with_current(|request| {
            if request.trace_id() == span.trace_id {
                request.annotate_span(span);
            }
        });
    }

    /// A span that begins now, below this one.
    pub(crate) fn begin(&self, name: impl Into<Text>, kind: SpanKind) -> SpanRecord {
        let span_id = self.tracer.new_span_id();
        let mut span = SpanRecord::new(name, kind, self.trace_id, span_id);
        span.parent_span_id = Some(self.span_id);
        span.start = self.tracer.clock().wall();
        span
    }
}

/// The current request, if spans are recorded in it.
#[inline]
fn recording(current: &Captured) -> Option<&RequestContext> {
    let request = current.request()?;
    (request.is_sampled() && request.telemetry().tracer().is_recording()).then_some(request)
}
