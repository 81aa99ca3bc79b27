use std::borrow::Cow;
use std::time::SystemTime;

use opentelemetry::trace::{SpanContext, SpanKind as OtelKind};
use opentelemetry::{Array, KeyValue, Value};

use crate::clock::Timestamp;
use crate::id::{SpanId, TraceId};
use crate::trace::{AttributeValue, Attributes, SpanEvent, SpanKind, SpanLink, SpanRecord, Text};

pub(super) const fn kind(kind: Option<&OtelKind>) -> SpanKind {
    match kind {
        Some(OtelKind::Server) => SpanKind::Server,
        Some(OtelKind::Client) => SpanKind::Client,
        Some(OtelKind::Producer) => SpanKind::Producer,
        Some(OtelKind::Consumer) => SpanKind::Consumer,
        Some(OtelKind::Internal) | None => SpanKind::Internal,
    }
}

/// A time before 1970 becomes its beginning.
pub(super) fn timestamp(at: SystemTime) -> Timestamp {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::default().saturating_add(since)
}

pub(super) fn set(attributes: &mut Attributes, attribute: KeyValue) {
    attributes.set(Text::from(attribute.key.as_str().to_owned()), value(attribute.value));
}

fn value(value: Value) -> AttributeValue {
    match value {
        Value::Bool(value) => AttributeValue::Bool(value),
        Value::I64(value) => AttributeValue::Int(value),
        Value::F64(value) => AttributeValue::Float(value),
        Value::String(text) => AttributeValue::Text(String::from(text).into()),
        Value::Array(array) => AttributeValue::Texts(texts(&array)),
        other => AttributeValue::Text(other.to_string().into()),
    }
}

fn texts(array: &Array) -> Vec<Text> {
    fn each<T: ToString>(values: &[T]) -> Vec<Text> {
        values.iter().map(|value| value.to_string().into()).collect()
    }
    match array {
        Array::Bool(values) => each(values),
        Array::I64(values) => each(values),
        Array::F64(values) => each(values),
        Array::String(values) => each(values),
        other => vec![other.to_string().into()],
    }
}

pub(super) fn event(
    name: Cow<'static, str>,
    at: SystemTime,
    attributes: Vec<KeyValue>,
) -> SpanEvent {
    let mut event = SpanEvent::new(name, timestamp(at));
    attributes.into_iter().for_each(|attribute| set(&mut event.attributes, attribute));
    event
}

/// A link to an invalid context is left out, as OpenTelemetry's SDKs do.
pub(super) fn link(span: &mut SpanRecord, context: &SpanContext, attributes: Vec<KeyValue>) {
    let trace_id = TraceId::new(u128::from_be_bytes(context.trace_id().to_bytes()));
    let span_id = SpanId::new(u64::from_be_bytes(context.span_id().to_bytes()));
    if let (Some(trace_id), Some(span_id)) = (trace_id, span_id) {
        let mut link = SpanLink::new(trace_id, span_id);
        attributes.into_iter().for_each(|attribute| set(&mut link.attributes, attribute));
        span.add_link(link);
    }
}
