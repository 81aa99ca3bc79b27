//! The request span.

use std::sync::Arc;

use obs_core::context::{Recorded, RequestContext};
use obs_core::log::Value;
use obs_core::trace::{
    AttributeValue, Attributes, SpanEvent, SpanKind, SpanLink, SpanRecord, Status, Text,
};

use super::by_route::ByRoute;
use super::config::Config;
use super::ending::Ending;
use super::recording::Recording;
use super::route::Route;
use crate::exchange::{OTHER_METHOD, PanicMessage, protocol};

/// Room for the attributes that a request usually has.
const USUAL_ATTRIBUTES: usize = 12;

/// The texts that all spans of a method and route share.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// `{method} {route}`.
    span: Arc<str>,
    route: Arc<str>,
}

impl ByRoute<Names> {
    fn of(&self, method: &'static str, route: &Route) -> Names {
        self.get(method, route.as_str(), |route| Names {
            span: format!("{} {route}", spoken(method)).into(),
            route: route.into(),
        })
    }
}

/// The method as part of a span's name.
fn spoken(method: &'static str) -> &'static str {
    if method == OTHER_METHOD { "HTTP" } else { method }
}

/// The operation, else `{method} {route}`, or the method alone where no route matched.
fn name(recording: &Recording, names: Option<&Names>) -> Text {
    match (&recording.operation, names) {
        (Some(operation), _) => operation.clone().into(),
        (None, Some(names)) => Arc::clone(&names.span).into(),
        (None, None) => spoken(recording.method).into(),
    }
}

/// The span of a request, with the attributes of OpenTelemetry's
/// [conventions](https://opentelemetry.io/docs/specs/semconv/http/http-spans/).
pub(super) fn build(
    recording: &Recording,
    recorded: Option<Box<Recorded>>,
    ending: &Ending,
    config: &Config,
    names: &ByRoute<Names>,
) -> SpanRecord {
    let context = &recording.context;
    let names = recording.route.as_ref().map(|route| names.of(recording.method, route));
    let name = name(recording, names.as_ref());
    let mut span = SpanRecord::new(name, SpanKind::Server, context.trace_id(), context.span_id());
    span.parent_span_id = context.parent_span_id();
    span.parent_is_remote = span.parent_span_id.is_some();
    span.start = recording.wall;
    span.end = recording.wall.saturating_add(ending.at - recording.started);
    span.trace_state = state(context);
    span.links = links(context);
    span.attributes = attributes(recording, ending, config, names);
    if let Some(recorded) = recorded {
        for (key, value) in recorded.annotations {
            span.annotate(key, value);
        }
        span.metadata = recorded.metadata;
    }
    if ending.is_fault() {
        span.status = Status::error(ending.outcome.as_str());
    }
    if let Some(message) = &ending.panic {
        span.add_event(exception(message, span.end));
    }
    span
}

fn attributes(
    recording: &Recording,
    ending: &Ending,
    config: &Config,
    names: Option<Names>,
) -> Attributes {
    let mut attributes = Attributes::with_capacity(USUAL_ATTRIBUTES + config.tags.len());
    attributes.push("http.request.method", recording.method);
    attributes.push("url.scheme", recording.scheme);
    attributes.push("url.path", String::from_utf8_lossy(&recording.path).into_owned());
    attributes.push("network.protocol.version", protocol(recording.version));
    if let Some(names) = names {
        attributes.push("http.route", names.route);
    }
    if let Some(status) = ending.status {
        attributes.push("http.response.status_code", status);
    }
    if let Some(status) = ending.grpc_status {
        attributes.push("rpc.system.name", "grpc");
        attributes.push("rpc.response.status_code", status.name());
    }
    if let Some(address) = recording.client_address {
        attributes.push("client.address", address.to_string());
    }
    if let Some(agent) = recording.user_agent.as_ref().and_then(|agent| agent.to_str().ok()) {
        attributes.push("user_agent.original", agent.to_owned());
    }
    if let Some(kind) = ending.error_type() {
        attributes.push("error.type", kind);
    }
    if let Some(operation) = &recording.operation {
        attributes.push("operation", operation.clone());
    }
    attributes.push("outcome", ending.outcome.as_str());
    for (key, value) in &config.tags {
        attributes.push(*key, attribute(value));
    }
    attributes
}

fn exception(message: &PanicMessage, at: obs_core::clock::Timestamp) -> SpanEvent {
    let mut event = SpanEvent::new("exception", at);
    event.attributes.push("exception.type", "panic");
    if let Some(text) = message.as_deref() {
        event.attributes.push("exception.message", text.to_owned());
    }
    event
}

pub(crate) fn links(context: &RequestContext) -> Vec<SpanLink> {
    let spans = context.links().iter().filter_map(|link| Some((link.trace_id, link.parent_span?)));
    spans.map(|(trace_id, span_id)| SpanLink::new(trace_id, span_id)).collect()
}

pub(crate) fn state(context: &RequestContext) -> Text {
    match context.trace_state().as_str() {
        "" => Text::default(),
        state => state.to_owned().into(),
    }
}

pub(crate) fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Bool(value) => (*value).into(),
        Value::I64(value) => (*value).into(),
        Value::U64(value) => (*value).into(),
        Value::F64(value) => (*value).into(),
        Value::Static(text) => (*text).into(),
        Value::Text(text) => Arc::clone(text).into(),
        _ => "".into(),
    }
}
