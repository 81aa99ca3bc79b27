use http::HeaderName;
use obs_core::propagate::Carrier;
use obs_core::propagate::message::{embedded, kinesis, sqs};
use serde_json::{Map, Value};
use shop_domain::port::messaging::{Attributes, Message, Record};

static EMPTY: Attributes = Attributes::new();

/// The ids a message carries: in its attributes, or in `_trace` inside of its body.
#[derive(Debug)]
pub struct Carried<'a> {
    attributes: sqs::Message<'a, Attributes, Attributes>,
    embedded: Option<Map<String, Value>>,
}

impl<'a> Carried<'a> {
    /// What a message of a queue carries.
    #[must_use]
    pub fn by(message: &'a Message) -> Self {
        let attributes = sqs::Message::new(&message.system_attributes, &message.attributes);
        let told = message.attributes.contains_key("traceparent");
        let embedded = if told { None } else { within(message.body.as_bytes()) };
        Self { attributes, embedded }
    }

    /// What a record of a stream carries.
    #[must_use]
    pub fn by_record(record: &'a Record) -> Self {
        let wrapped = kinesis::Record::parse(&record.data);
        let embedded =
            if wrapped.fields.is_empty() { within(&record.data) } else { Some(wrapped.fields) };
        Self { attributes: sqs::Message::new(&EMPTY, &EMPTY), embedded }
    }
}

/// The fields in an event, or in the detail of one.
fn within(body: &[u8]) -> Option<Map<String, Value>> {
    let Value::Object(mut body) = serde_json::from_slice(body).ok()? else { return None };
    embedded::remove(&mut body)
        .or_else(|| embedded::remove(body.get_mut("detail")?.as_object_mut()?))
}

impl Carrier for Carried<'_> {
    fn get_all<'a>(&'a self, field: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
        let embedded = self.embedded.as_ref().map(|fields| fields.get_all(field));
        let outside = self.embedded.is_none().then(|| self.attributes.get_all(field));
        embedded.into_iter().flatten().chain(outside.into_iter().flatten())
    }
}
