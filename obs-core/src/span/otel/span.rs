use std::borrow::Cow;
use std::time::SystemTime;

use opentelemetry::KeyValue;
use opentelemetry::trace::{Span, SpanContext, Status as OtelStatus};

use crate::trace::{SpanRecord, Status, Tracer};

use super::convert;

/// A span of a [`BridgeTracer`](super::BridgeTracer). It ends when it is told to, or is dropped.
///
/// ```
/// use obs_core::span::BridgeProvider;
/// use obs_core::telemetry::Telemetry;
/// use opentelemetry::KeyValue;
/// use opentelemetry::trace::{Span, Tracer, TracerProvider};
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// let mut span = BridgeProvider::new(&telemetry).tracer("legacy").start("work");
/// span.set_attribute(KeyValue::new("items", 3));
/// span.end();
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct BridgedSpan {
    context: SpanContext,
    /// `None` if nothing is recorded, or the span has ended.
    open: Option<Box<Open>>,
}

#[derive(Debug)]
struct Open {
    span: SpanRecord,
    tracer: Tracer,
}

impl BridgedSpan {
    pub(super) const fn silent(context: SpanContext) -> Self {
        Self { context, open: None }
    }

    pub(super) fn recording(context: SpanContext, span: SpanRecord, tracer: Tracer) -> Self {
        Self { context, open: Some(Box::new(Open { span, tracer })) }
    }

    fn with(&mut self, change: impl FnOnce(&mut SpanRecord)) {
        if let Some(open) = &mut self.open {
            change(&mut open.span);
        }
    }

    fn finish(&mut self, at: Option<SystemTime>) {
        if let Some(open) = self.open.take() {
            let Open { mut span, tracer } = *open;
            span.end = at.map_or_else(|| tracer.clock().wall(), convert::timestamp);
            span.adopt_annotations();
            tracer.export(span);
        }
    }
}

impl Span for BridgedSpan {
    fn add_event_with_timestamp<T>(&mut self, name: T, at: SystemTime, attributes: Vec<KeyValue>)
    where
        T: Into<Cow<'static, str>>,
    {
        self.with(|span| span.add_event(convert::event(name.into(), at, attributes)));
    }

    fn span_context(&self) -> &SpanContext {
        &self.context
    }

    fn is_recording(&self) -> bool {
        self.open.is_some()
    }

    fn set_attribute(&mut self, attribute: KeyValue) {
        self.with(|span| convert::set(&mut span.attributes, attribute));
    }

    /// `Ok` is final, as OpenTelemetry has it.
    fn set_status(&mut self, status: OtelStatus) {
        self.with(|span| match status {
            _ if span.status == Status::Ok => {}
            OtelStatus::Unset => {}
            OtelStatus::Ok => span.status = Status::Ok,
            OtelStatus::Error { description } => span.status = Status::error(description),
        });
    }

    fn update_name<T>(&mut self, name: T)
    where
        T: Into<Cow<'static, str>>,
    {
        self.with(|span| span.name = name.into().into());
    }

    fn add_link(&mut self, context: SpanContext, attributes: Vec<KeyValue>) {
        self.with(|span| convert::link(span, &context, attributes));
    }

    fn end(&mut self) {
        self.finish(None);
    }

    fn end_with_timestamp(&mut self, at: SystemTime) {
        self.finish(Some(at));
    }
}

impl Drop for BridgedSpan {
    fn drop(&mut self) {
        self.finish(None);
    }
}
