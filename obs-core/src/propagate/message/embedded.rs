//! Fields inside a JSON payload: EventBridge's `detail`, the input of a Step Functions execution.
//!
//! Both services take the X-Ray header beside the payload but do not show it to the receiver, or
//! lose it on replay; the correlation id has no place there at all.
//!
//! ```
//! use obs_core::propagate::message::{MessageFields, embedded};
//! use serde_json::Map;
//!
//! let mut detail = Map::new();
//! embedded::insert(&mut detail, &MessageFields::default());
//! assert!(embedded::remove(&mut detail).is_none_or(|fields| fields.is_empty()));
//! ```

use serde_json::{Map, Value};

use super::MessageFields;

/// The member that holds the fields.
pub const KEY: &str = "_trace";

/// Puts `fields` into `payload` under [`KEY`], in place of what may be there.
///
/// ```
/// use obs_core::propagate::message::{MessageFields, embedded};
///
/// let mut detail = serde_json::Map::new();
/// embedded::insert(&mut detail, &MessageFields::default());
/// assert!(embedded::get(&detail).is_some());
/// ```
pub fn insert(payload: &mut Map<String, Value>, fields: &MessageFields) {
    payload.insert(KEY.to_owned(), to_value(fields));
}

/// The fields in `payload`, as a carrier.
///
/// ```
/// use obs_core::propagate::message::{MessageFields, embedded};
/// use serde_json::{Map, Value};
///
/// let mut detail = Map::from_iter([("order".to_owned(), Value::from(7))]);
/// assert!(embedded::get(&detail).is_none());
/// embedded::insert(&mut detail, &MessageFields::default());
/// assert_eq!(detail["order"], 7);
/// ```
#[must_use]
pub fn get(payload: &Map<String, Value>) -> Option<&Map<String, Value>> {
    payload.get(KEY)?.as_object()
}

/// Takes the fields out of `payload`, so that the application sees its own members alone.
///
/// ```
/// use obs_core::propagate::message::embedded;
/// use serde_json::{Map, json};
///
/// let mut detail: Map<_, _> = serde_json::from_value(json!({
///     "order": 7,
///     "_trace": { "x-correlation-id": "order-7" },
/// }))?;
/// let fields = embedded::remove(&mut detail).expect("they were there");
/// assert_eq!(fields["x-correlation-id"], "order-7");
/// assert_eq!(detail.len(), 1);
/// # Ok::<(), serde_json::Error>(())
/// ```
pub fn remove(payload: &mut Map<String, Value>) -> Option<Map<String, Value>> {
    match payload.remove(KEY)? {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}

pub(super) fn to_value(fields: &MessageFields) -> Value {
    fields.iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect()
}
