use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    Event, Link, SpanContext, SpanId, SpanKind as OtelKind, Status as OtelStatus, TraceFlags,
    TraceId, TraceState,
};
use opentelemetry::{Array, InstrumentationScope, Key, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use crate::clock::Timestamp;
use crate::trace::json::metadata_by_namespace;
use crate::trace::{
    AttributeValue, Attributes, SpanEvent, SpanKind, SpanLink, SpanRecord, Status, Text,
};

/// The attribute that lists the keys of annotations; collectors' X-Ray exporters read it.
const ANNOTATIONS: &str = "aws.xray.annotations";

/// An attribute that starts so is the metadata of the namespace that follows, as JSON.
const METADATA_PREFIX: &str = "aws.xray.metadata.";

/// The span as OpenTelemetry's exporters take it.
pub(super) fn span_data(span: &SpanRecord, scope: &InstrumentationScope) -> SpanData {
    let mut events = SpanEvents::default();
    events.events = span.events.iter().map(event).collect();
    events.dropped_count = span.dropped_events;
    let mut links = SpanLinks::default();
    links.links = span.links.iter().map(link).collect();
    links.dropped_count = span.dropped_links;
    SpanData {
        span_context: SpanContext::new(
            TraceId::from_bytes(span.trace_id.to_bytes()),
            SpanId::from_bytes(span.span_id.to_bytes()),
            TraceFlags::SAMPLED,
            false,
            span.trace_state.parse().unwrap_or(TraceState::NONE),
        ),
        parent_span_id: span
            .parent_span_id
            .map_or(SpanId::INVALID, |parent| SpanId::from_bytes(parent.to_bytes())),
        parent_span_is_remote: span.parent_is_remote,
        span_kind: kind(span.kind),
        name: name(&span.name),
        start_time: system_time(span.start),
        end_time: system_time(span.end.max(span.start)),
        attributes: span_attributes(span),
        dropped_attributes_count: span.attributes.dropped() + span.annotations.dropped(),
        events,
        links,
        status: status(&span.status),
        instrumentation_scope: scope.clone(),
    }
}

/// Attributes, annotations and metadata; an annotation wins over an attribute of its name.
fn span_attributes(span: &SpanRecord) -> Vec<KeyValue> {
    let plain = span.attributes.iter().filter(|(key, _)| span.annotations.get(key).is_none());
    let mut all: Vec<_> = plain.chain(&span.annotations).map(key_value).collect();
    if !span.annotations.is_empty() {
        let keys = span.annotations.iter().map(|(key, _)| string(key)).collect();
        all.push(KeyValue::new(ANNOTATIONS, Value::Array(Array::String(keys))));
    }
    for (namespace, object) in metadata_by_namespace(&span.metadata) {
        let key = format!("{METADATA_PREFIX}{namespace}");
        all.push(KeyValue::new(key, serde_json::Value::Object(object).to_string()));
    }
    all
}

pub(super) fn key_value((key, attribute): &(Text, AttributeValue)) -> KeyValue {
    KeyValue::new(self::key(key), value(attribute))
}

fn event(event: &SpanEvent) -> Event {
    Event::new(
        name(&event.name),
        system_time(event.at),
        pairs(&event.attributes),
        event.attributes.dropped(),
    )
}

fn link(link: &SpanLink) -> Link {
    let context = SpanContext::new(
        TraceId::from_bytes(link.trace_id.to_bytes()),
        SpanId::from_bytes(link.span_id.to_bytes()),
        TraceFlags::default(),
        true,
        TraceState::NONE,
    );
    Link::new(context, pairs(&link.attributes), link.attributes.dropped())
}

fn pairs(attributes: &Attributes) -> Vec<KeyValue> {
    attributes.iter().map(key_value).collect()
}

const fn kind(kind: SpanKind) -> OtelKind {
    match kind {
        SpanKind::Internal => OtelKind::Internal,
        SpanKind::Server => OtelKind::Server,
        SpanKind::Client => OtelKind::Client,
        SpanKind::Producer => OtelKind::Producer,
        SpanKind::Consumer => OtelKind::Consumer,
    }
}

fn status(status: &Status) -> OtelStatus {
    match status {
        Status::Unset => OtelStatus::Unset,
        Status::Ok => OtelStatus::Ok,
        Status::Error(description) => OtelStatus::error(name(description)),
    }
}

fn name(text: &Text) -> Cow<'static, str> {
    match text {
        Text::Static(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.as_str().to_owned()),
    }
}

fn key(text: &Text) -> Key {
    match text {
        Text::Static(text) => Key::from_static_str(text),
        Text::Shared(text) => Key::from(text.clone()),
        Text::Owned(text) => Key::from(text.clone()),
    }
}

fn string(text: &Text) -> StringValue {
    match text {
        Text::Static(text) => StringValue::from(*text),
        Text::Shared(text) => StringValue::from(text.clone()),
        Text::Owned(text) => StringValue::from(text.clone()),
    }
}

fn value(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Bool(value) => Value::Bool(*value),
        AttributeValue::Int(value) => Value::I64(*value),
        AttributeValue::Float(value) => Value::F64(*value),
        AttributeValue::Text(text) => Value::String(string(text)),
        AttributeValue::Texts(texts) => {
            Value::Array(Array::String(texts.iter().map(string).collect()))
        }
    }
}

fn system_time(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(at.unix_nanos())
}
