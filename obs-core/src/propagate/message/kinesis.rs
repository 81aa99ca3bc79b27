//! Records of a Kinesis stream, which have no attributes: an envelope around the data.
//!
//! `{"_trace": {…}, "data": …}` if the data are JSON, which then stands there unchanged but for
//! blanks around it; `{"_trace": {…}, "data_base64": "…"}` for all other data.
//!
//! ```
//! use obs_core::propagate::message::{MessageFields, kinesis};
//!
//! let record = kinesis::wrap(b"{\"order\":7}", &MessageFields::default());
//! assert_eq!(&*kinesis::Record::parse(&record).data, b"{\"order\":7}");
//! ```

use std::borrow::Cow;
use std::collections::BTreeMap;

use http::HeaderName;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::super::Carrier;
use super::{MessageFields, base64, embedded};

/// Wraps `data`; the sizes that Kinesis limits are those of the result.
///
/// ```
/// use obs_core::propagate::message::{MessageFields, kinesis};
///
/// let wrapped = kinesis::wrap(br#"{"price": 1.50}"#, &MessageFields::default());
/// assert_eq!(wrapped, br#"{"_trace":{},"data":{"price": 1.50}}"#);
/// assert_eq!(&*kinesis::Record::parse(&wrapped).data, br#"{"price": 1.50}"#);
/// ```
#[must_use]
pub fn wrap(data: &[u8], fields: &MessageFields) -> Vec<u8> {
    let trace = embedded::to_value(fields).to_string();
    let mut record = Vec::with_capacity(data.len() * 4 / 3 + trace.len() + 32);
    record.extend_from_slice(b"{\"_trace\":");
    record.extend_from_slice(trace.as_bytes());
    match serde_json::from_slice::<&RawValue>(data) {
        Ok(json) => {
            record.extend_from_slice(b",\"data\":");
            record.extend_from_slice(json.get().as_bytes());
        }
        Err(_) => {
            record.extend_from_slice(b",\"data_base64\":\"");
            base64::encode(data, &mut record);
            record.push(b'"');
        }
    }
    record.push(b'}');
    record
}

/// A received record.
///
/// ```
/// use obs_core::propagate::message::kinesis::Record;
///
/// // A record of a producer that knows nothing of envelopes is its own data.
/// let record = Record::parse(b"{\"order\":7}");
/// assert_eq!(&*record.data, b"{\"order\":7}");
/// assert!(record.fields.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Record<'a> {
    /// What was wrapped; the whole record if it is no envelope.
    pub data: Cow<'a, [u8]>,
    /// The fields of the envelope.
    pub fields: Map<String, Value>,
}

impl<'a> Record<'a> {
    /// Reads a record, with or without an envelope.
    #[must_use]
    pub fn parse(record: &'a [u8]) -> Self {
        let plain = || Self { data: Cow::Borrowed(record), fields: Map::new() };
        Self::unwrap(record).unwrap_or_else(plain)
    }

    fn unwrap(record: &'a [u8]) -> Option<Self> {
        let mut members: BTreeMap<&str, &'a RawValue> = serde_json::from_slice(record).ok()?;
        let fields = serde_json::from_str(members.remove(embedded::KEY)?.get()).ok()?;
        let (name, data) = members.pop_first()?;
        let data = match name {
            "data" => Cow::Borrowed(data.get().as_bytes()),
            "data_base64" => {
                let text: String = serde_json::from_str(data.get()).ok()?;
                Cow::Owned(base64::decode(text.as_bytes())?)
            }
            _ => return None,
        };
        members.is_empty().then_some(Self { data, fields })
    }
}

impl Carrier for Record<'_> {
    fn get_all<'a>(&'a self, field: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
        self.fields.get_all(field)
    }
}
