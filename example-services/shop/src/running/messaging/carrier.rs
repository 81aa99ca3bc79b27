use http::HeaderName;
use obs_core::propagate::Carrier;
use obs_core::propagate::message::{embedded, sqs};
use serde_json::{Map, Value};
use shop_domain::port::messaging::{Attributes, Message};

/// The ids that a message carries: in `_trace`, where an event or the input of a workflow has
/// them, else in its attributes.
#[derive(Debug)]
pub(crate) struct Ids {
    embedded: Map<String, Value>,
    system: Attributes,
    attributes: Attributes,
}

impl Ids {
    /// Those of a received message, whose body is `body`.
    pub(crate) fn of(message: &Message, body: &Value) -> Self {
        Self {
            embedded: trace(body).cloned().unwrap_or_default(),
            system: message.system_attributes.clone(),
            attributes: message.attributes.clone(),
        }
    }
}

/// The `_trace` of an event, or of a document that is an event's detail.
pub(crate) fn trace(body: &Value) -> Option<&Map<String, Value>> {
    let body = body.as_object()?;
    let detail = body.get("detail").and_then(Value::as_object);
    detail.and_then(embedded::get).or_else(|| embedded::get(body))
}

impl Carrier for Ids {
    fn get_all<'a>(&'a self, field: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
        let mut embedded = self.embedded.get_all(field).peekable();
        // What is beside the body counts only where the body tells nothing.
        let beside = embedded.peek().is_none();
        let is_trace = field.as_str() == "x-amzn-trace-id";
        let system = self.system.get(sqs::TRACE_HEADER).filter(|_| beside && is_trace);
        let plain = self.attributes.get(field.as_str()).filter(|_| beside && system.is_none());
        embedded.chain(system.map(String::as_bytes)).chain(plain.map(String::as_bytes))
    }
}
