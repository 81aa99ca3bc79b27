use std::future::Future;

use obs_core::clock::Timestamp;
use obs_core::context::RequestContext;
use obs_core::id::SpanId;
use obs_core::propagate::{Carrier, Extracted, TrustPolicy};
use obs_core::telemetry::Telemetry;
use obs_core::trace::{
    AttributeValue, Attributes, SamplingInput, SpanKind, SpanLink, SpanRecord, Status, Text,
};

use crate::observe::take_over;

/// A piece of work that a message caused and that is no request: its context and its span.
#[derive(Clone, Debug)]
pub struct Job {
    context: RequestContext,
    started: Timestamp,
    attributes: Attributes,
}

impl Job {
    /// Work that continues the trace that `carrier` tells of.
    pub fn caused_by(telemetry: &Telemetry, carrier: &impl Carrier) -> Self {
        let policy = TrustPolicy::message();
        Self::new(telemetry, telemetry.propagators().extract(carrier, &policy))
    }

    /// Work on several messages at once: linked to each, child of none.
    pub fn caused_by_all<C: Carrier>(
        telemetry: &Telemetry,
        carriers: impl IntoIterator<Item = C>,
    ) -> Self {
        let policy = TrustPolicy::message();
        Self::new(telemetry, telemetry.propagators().extract_batch(carriers, &policy))
    }

    fn new(telemetry: &Telemetry, extracted: Extracted) -> Self {
        let now = telemetry.clock().now();
        let mut builder = RequestContext::builder(telemetry).extracted(extracted, now);
        let input = SamplingInput::new(builder.trace_id(), telemetry.service_name())
            .parent_sampled(builder.parent_sampled());
        let sampled = telemetry.tracer().decide(&input).sampled;
        let context = builder.sampled(sampled).build();
        take_over(&context);
        Self { context, started: telemetry.clock().wall(), attributes: Attributes::new() }
    }

    /// Adds an attribute to the span of the work.
    #[must_use]
    pub fn attribute(mut self, key: &'static str, value: impl Into<AttributeValue>) -> Self {
        self.attributes.push(key, value);
        self
    }

    /// The context of the work.
    #[must_use]
    pub const fn context(&self) -> &RequestContext {
        &self.context
    }

    /// Runs `work` in its context.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.context.scope(work).await
    }

    /// Ends the work: exports its span, with what was annotated meanwhile.
    pub fn end(self, name: impl Into<Text>, kind: SpanKind, error: Option<&str>) {
        let recorded = self.context.take_recorded();
        let mut span = self.span(self.context.span_id(), name, kind);
        span.parent_span_id = self.context.parent_span_id();
        span.parent_is_remote = span.parent_span_id.is_some();
        span.attributes = self.attributes.clone();
        if let Some(recorded) = recorded {
            for (key, value) in recorded.annotations.iter() {
                span.annotate(key.clone(), value.clone());
            }
            span.metadata = recorded.metadata;
        }
        span.links = self
            .context
            .links()
            .iter()
            .filter_map(|link| Some(SpanLink::new(link.trace_id, link.parent_span?)))
            .collect();
        if let Some(error) = error {
            span.attributes.push("error.type", error.to_owned());
            span.status = Status::error(error.to_owned());
        }
        self.export(span);
    }

    /// Exports a span below that of the work, which began with it and ends now.
    pub fn part(&self, name: impl Into<Text>, kind: SpanKind) {
        let mut span = self.span(self.context.telemetry().ids().span_id(), name, kind);
        span.parent_span_id = Some(self.context.span_id());
        self.export(span);
    }

    fn span(&self, id: SpanId, name: impl Into<Text>, kind: SpanKind) -> SpanRecord {
        let mut span = SpanRecord::new(name, kind, self.context.trace_id(), id);
        span.start = self.started;
        span.end = self.context.telemetry().clock().wall();
        span.annotate("correlation_id", self.context.correlation_id().as_str().to_owned());
        self.context.annotate_span(&mut span);
        span
    }

    fn export(&self, span: SpanRecord) {
        let tracer = self.context.telemetry().tracer();
        if !tracer.is_recording() {
            return;
        }
        if self.context.is_sampled() { tracer.export(span) } else { tracer.sampled_out() }
    }
}
