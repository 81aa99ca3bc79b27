//! What X-Ray calls things, in attributes and in segments.

use serde_json::{Map, Value};

use super::attribute::AttributeValue;
use super::record::Metadata;

/// The attribute that lists the keys of annotations; collectors' X-Ray exporters read it.
pub(super) const ANNOTATIONS: &str = "aws.xray.annotations";

/// An attribute that starts so is the metadata of the namespace that follows, as JSON.
pub(super) const METADATA_PREFIX: &str = "aws.xray.metadata.";

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
