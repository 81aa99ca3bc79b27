//! The documents that probes get.

use obs_core::control::Health;
use serde_json::{Map, Value, json};

use crate::registry::{HealthRegistry, Reading};

/// The media type of the
/// [health+json draft](https://datatracker.ietf.org/doc/html/draft-inadarei-api-health-check-06).
pub(crate) const CONTENT_TYPE: &str = "application/health+json";

/// The document for everybody: status, and who answers.
pub(crate) fn summary(registry: &HealthRegistry, health: Health) -> Value {
    let identity = &registry.inner().identity;
    let mut document = Map::new();
    document.insert("status".into(), health.as_str().into());
    document.insert("service".into(), identity.service.as_str().into());
    let members = [("pod_name", &identity.pod_name), ("node_name", &identity.node_name)];
    for (name, value) in members {
        if let Some(value) = value {
            document.insert(name.into(), value.as_str().into());
        }
    }
    Value::Object(document)
}

/// The document for those who may see details: every dependency and control that counts.
pub(crate) fn detail(registry: &HealthRegistry, health: Health) -> Value {
    let mut document = summary(registry, health);
    if let Some(version) = &registry.inner().identity.version {
        document["version"] = version.as_str().into();
    }
    if registry.is_draining() {
        document["notes"] = json!(["the service drains: it takes no new work"]);
    }
    let checks =
        registry.readings().into_iter().map(|reading| (reading.name.to_string(), check(&reading)));
    document["checks"] = Value::Object(checks.collect());
    document
}

/// The draft gives each name a list, for a component of several nodes; ours has one entry.
fn check(reading: &Reading) -> Value {
    let mut entry = json!({
        "componentType": reading.component_type,
        "status": reading.status,
        "required": reading.is_required,
        "circuit": reading.circuit,
    });
    if let Some(last) = &reading.last {
        entry["time"] = last.time.to_string().into();
        entry["age_ms"] = u64::try_from(last.age.as_millis()).unwrap_or(u64::MAX).into();
        if let Some((value, unit)) = last.observation.observed() {
            entry["observedValue"] = value.into();
            entry["observedUnit"] = unit.into();
        }
        if let Some(output) = last.observation.output() {
            entry["output"] = output.into();
        }
    }
    json!([entry])
}
