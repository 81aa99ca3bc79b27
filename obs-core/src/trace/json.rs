//! Metadata and values as JSON, the same over OTLP and in segments.

use serde_json::{Map, Value};

use super::attribute::AttributeValue;
use super::record::Metadata;

/// One JSON object per namespace, in the order in which namespaces first appear.
pub(super) fn metadata_by_namespace(metadata: &[Metadata]) -> Vec<(&str, Map<String, Value>)> {
    let mut objects: Vec<(&str, Map<String, Value>)> = Vec::new();
    for piece in metadata {
        let namespace = piece.namespace.as_str();
        let at = objects.iter().position(|(known, _)| *known == namespace).unwrap_or_else(|| {
            objects.push((namespace, Map::new()));
            objects.len() - 1
        });
        objects[at].1.insert(piece.key.as_str().to_owned(), json(&piece.value));
    }
    objects
}

/// The value as JSON; NaN and infinities become `null`.
pub(super) fn json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Bool(value) => Value::Bool(*value),
        AttributeValue::Int(value) => Value::from(*value),
        AttributeValue::Float(value) => Value::from(*value),
        AttributeValue::Text(text) => Value::from(text.as_str()),
        AttributeValue::Texts(texts) => texts.iter().map(|text| text.as_str()).collect(),
    }
}
