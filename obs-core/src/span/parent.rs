use crate::context::RequestContext;
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
    pub(crate) fn current() -> Option<Self> {
        RequestContext::with_current(|request| {
            let tracer = request.telemetry().tracer();
            (request.is_sampled() && tracer.is_recording()).then(|| Self {
                trace_id: request.trace_id(),
                span_id: request.current_span_id(),
                tracer: tracer.clone(),
            })
        })
        .flatten()
    }

    /// Whether spans are recorded in the current request.
    pub(crate) fn is_recording() -> bool {
        RequestContext::with_current(|request| {
            request.is_sampled() && request.telemetry().tracer().is_recording()
        })
        .unwrap_or(false)
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
