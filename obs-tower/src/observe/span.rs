//! The request span.

use std::borrow::Cow;
use std::mem;
use std::net::IpAddr;
use std::sync::Arc;

use http::Version;
use obs_core::clock::Timestamp;
use obs_core::context::{Recorded, RequestContext};
use obs_core::id::{SpanId, TraceId};
use obs_core::log::Value;
use obs_core::trace::{
    AttributeValue, Attributes, SpanEvent, SpanKind, SpanLink, SpanRecord, Status, Text,
};

use super::by_route::ByRoute;
use super::config::Tags;
use super::ending::Ending;
use super::recording::Recording;
use super::route::Route;
use super::texts::Texts;
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

/// What is known of a request that ended, as far as its span tells of it.
///
/// The thread that ends the request gathers it; the exporter's makes the span of it.
pub(super) struct RequestSpan {
    ids: (TraceId, SpanId, Option<SpanId>),
    trace_state: Text,
    links: Vec<SpanLink>,
    start: Timestamp,
    end: Timestamp,
    method: &'static str,
    scheme: &'static str,
    version: Version,
    route: Option<Route>,
    texts: Texts,
    client_address: Option<IpAddr>,
    operation: Option<Cow<'static, str>>,
    ending: Ending,
    recorded: Option<Box<Recorded>>,
    names: Arc<ByRoute<Names>>,
    tags: Arc<Tags>,
}

impl RequestSpan {
    /// Takes out of `recording` what its span needs.
    pub(super) fn of(
        recording: &mut Recording,
        recorded: Option<Box<Recorded>>,
        ending: Ending,
        (names, tags): (&Arc<ByRoute<Names>>, &Arc<Tags>),
    ) -> Self {
        let context = &recording.context;
        Self {
            ids: (context.trace_id(), context.span_id(), context.parent_span_id()),
            trace_state: state(context),
            links: links(context),
            start: recording.wall,
            end: recording.wall.saturating_add(ending.at - recording.started),
            method: recording.method,
            scheme: recording.scheme,
            version: recording.version,
            route: recording.route.take(),
            texts: mem::take(&mut recording.texts),
            client_address: recording.client_address,
            operation: recording.operation.take(),
            ending,
            recorded,
            names: Arc::clone(names),
            tags: Arc::clone(tags),
        }
    }

    /// The span, with the attributes of OpenTelemetry's
    /// [conventions](https://opentelemetry.io/docs/specs/semconv/http/http-spans/).
    pub(super) fn into_record(self) -> SpanRecord {
        let names = self.route.as_ref().map(|route| self.names.of(self.method, route));
        let (trace_id, span_id, parent_span_id) = self.ids;
        let mut span =
            SpanRecord::new(self.name(names.as_ref()), SpanKind::Server, trace_id, span_id);
        span.parent_span_id = parent_span_id;
        span.parent_is_remote = parent_span_id.is_some();
        (span.start, span.end) = (self.start, self.end);
        span.attributes = self.attributes(names);
        if self.ending.is_fault() {
            span.status = Status::error(self.ending.outcome.as_str());
        }
        if let Some(message) = &self.ending.panic {
            span.add_event(exception(message, span.end));
        }
        (span.trace_state, span.links) = (self.trace_state, self.links);
        if let Some(recorded) = self.recorded {
            for (key, value) in recorded.annotations {
                span.annotate(key, value);
            }
            span.metadata = recorded.metadata;
        }
        span
    }

    /// The operation, else `{method} {route}`, or the method alone where no route matched.
    fn name(&self, names: Option<&Names>) -> Text {
        match (&self.operation, names) {
            (Some(operation), _) => operation.clone().into(),
            (None, Some(names)) => Arc::clone(&names.span).into(),
            (None, None) => spoken(self.method).into(),
        }
    }

    fn attributes(&self, names: Option<Names>) -> Attributes {
        let ending = &self.ending;
        let mut attributes = Attributes::with_capacity(USUAL_ATTRIBUTES + self.tags.len());
        attributes.push("http.request.method", self.method);
        attributes.push("url.scheme", self.scheme);
        attributes.push("url.path", text(self.texts.path()));
        attributes.push("network.protocol.version", protocol(self.version));
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
        if let Some(address) = self.client_address {
            attributes.push("client.address", address.to_string());
        }
        if let Some(agent) = self.texts.agent() {
            attributes.push("user_agent.original", text(agent));
        }
        if let Some(kind) = ending.error_type() {
            attributes.push("error.type", kind);
        }
        if let Some(operation) = &self.operation {
            attributes.push("operation", operation.clone());
        }
        attributes.push("outcome", ending.outcome.as_str());
        for (key, value) in &*self.tags {
            attributes.push(*key, attribute(value));
        }
        attributes
    }
}

/// What came from outside as text; what is not UTF-8 in it is replaced.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn exception(message: &PanicMessage, at: Timestamp) -> SpanEvent {
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
