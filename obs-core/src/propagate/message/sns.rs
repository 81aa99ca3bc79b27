//! SNS notifications that arrive as JSON, without raw delivery.
//!
//! ```
//! use obs_core::propagate::message::sns::Envelope;
//!
//! let body = br#"{"Type":"Notification","Message":"{}","MessageAttributes":{}}"#;
//! assert_eq!(Envelope::parse(body).expect("it is SNS's").message, "{}");
//! ```

use std::collections::BTreeMap;

use http::HeaderName;
use serde_json::Value;

use super::super::Carrier;

/// The envelope that SNS puts around a message for SQS, Lambda and HTTP endpoints.
///
/// ```
/// use obs_core::propagate::message::sns::Envelope;
///
/// let body = r#"{"Type": "Notification", "Message": "{\"order_id\":\"o-1\"}",
///     "MessageAttributes": {"x-correlation-id": {"Type": "String", "Value": "c-1"}}}"#;
/// let envelope = Envelope::parse(body.as_bytes()).unwrap();
/// assert_eq!(envelope.message, r#"{"order_id":"o-1"}"#);
/// assert_eq!(envelope.attributes["x-correlation-id"], "c-1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Envelope {
    /// What was published.
    pub message: String,
    /// The attributes of type `String`.
    pub attributes: BTreeMap<String, String>,
}

impl Envelope {
    /// Reads the body of an SQS message, or a request to an HTTP endpoint; `None` unless it is a
    /// notification.
    #[must_use]
    pub fn parse(body: &[u8]) -> Option<Self> {
        let Value::Object(mut envelope) = serde_json::from_slice(body).ok()? else { return None };
        if envelope.get("Type")?.as_str()? != "Notification" {
            return None;
        }
        let Some(Value::String(message)) = envelope.remove("Message") else { return None };
        let attributes = match envelope.remove("MessageAttributes") {
            Some(Value::Object(attributes)) => attributes,
            _ => serde_json::Map::new(),
        };
        let attributes = attributes.into_iter().filter_map(|(name, mut attribute)| {
            if attribute.get("Type")?.as_str()? != "String" {
                return None;
            }
            let Value::String(value) = attribute.get_mut("Value")?.take() else { return None };
            Some((name, value))
        });
        Some(Self { message, attributes: attributes.collect() })
    }
}

impl Carrier for Envelope {
    fn get_all<'a>(&'a self, field: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
        self.attributes.get_all(field)
    }
}
