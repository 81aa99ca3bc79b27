//! Schemas of the events' details, checked where an event is made and where it is received.

use std::collections::BTreeMap;
use std::fmt;

use jsonschema::Validator;
use serde_json::Value;

/// Each type of event and its schema. `ops` stands for all types that begin with `ops.`.
const FILES: [(&str, &str); 5] = [
    ("inventory.updated", include_str!("../events/inventory.updated.schema.json")),
    ("ops", include_str!("../events/ops.schema.json")),
    ("order.created", include_str!("../events/order.created.schema.json")),
    ("order.shipped", include_str!("../events/order.shipped.schema.json")),
    ("order.updated", include_str!("../events/order.updated.schema.json")),
];

/// The schemas of all events; built once, at start.
#[derive(Debug)]
pub struct Schemas(BTreeMap<&'static str, Validator>);

impl Schemas {
    /// The schemas of this crate.
    ///
    /// # Errors
    /// [`SchemaError`] names the file that is no schema.
    pub fn embedded() -> Result<Self, SchemaError> {
        let compile = |(name, text): (&'static str, &str)| {
            let schema =
                serde_json::from_str(text).map_err(|error| SchemaError::new(name, error))?;
            let validator = jsonschema::validator_for(&schema)
                .map_err(|error| SchemaError::new(name, error))?;
            Ok((name, validator))
        };
        FILES.into_iter().map(compile).collect::<Result<_, _>>().map(Self)
    }

    /// Checks the detail of an event of this type.
    ///
    /// # Errors
    /// [`SchemaError`] names the member that is wrong, without its value.
    pub fn check(&self, detail_type: &str, detail: &Value) -> Result<(), SchemaError> {
        let name = if detail_type.starts_with("ops.") { "ops" } else { detail_type };
        let Some(validator) = self.0.get(name) else {
            return Err(SchemaError::new(detail_type, "there is no such type of event"));
        };
        validator.validate(detail).map_err(|error| {
            let place = error.instance_path().to_string();
            SchemaError::new(detail_type, format_args!("{place:?} breaks {}", error.schema_path()))
        })
    }
}

/// An event that does not keep its schema, or a schema that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaError(String);

impl SchemaError {
    fn new(name: &str, what: impl fmt::Display) -> Self {
        Self(format!("{name}: {what}"))
    }
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SchemaError {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shipped() -> Value {
        json!({
            "event_id": "e-1", "schema_version": 1, "subject": "ord-1", "order_id": "ord-1",
            "user_id": "ada", "tracking_id": "t-1", "carrier": "post",
            "_trace": {"traceparent": "00-1-2-01"},
        })
    }

    #[test]
    fn an_event_that_keeps_its_schema_passes() {
        let schemas = Schemas::embedded().unwrap();
        assert_eq!(schemas.check("order.shipped", &shipped()), Ok(()));
        let ops = json!({"event_id": "e", "schema_version": 1, "subject": "s", "what": "deploy"});
        assert_eq!(schemas.check("ops.deploy", &ops), Ok(()));
    }

    #[test]
    fn what_breaks_a_schema_is_named_without_its_value() {
        let schemas = Schemas::embedded().unwrap();
        let mut event = shipped();
        event["carrier"] = json!(4111);
        let error = schemas.check("order.shipped", &event).unwrap_err().to_string();
        assert!(error.contains("/carrier") && !error.contains("4111"), "{error}");
        event["carrier"] = json!("post");
        event["card_number"] = json!("4111111111111111");
        let error = schemas.check("order.shipped", &event).unwrap_err().to_string();
        assert!(!error.contains("4111"), "{error}");
        assert!(schemas.check("order.unheard-of", &shipped()).is_err());
    }
}
