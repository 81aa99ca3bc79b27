//! The documents that probes get.

use obs_core::clock::Timestamp;
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
        entry["time"] = rfc3339(last.time).into();
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

/// `2026-01-01T00:00:00.000Z`, by the days-to-civil algorithm for the proleptic Gregorian calendar.
fn rfc3339(time: Timestamp) -> String {
    let (days, millis) = (time.unix_millis() / 86_400_000, time.unix_millis() % 86_400_000);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (seconds, millis) = (millis / 1_000, millis % 1_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_rfc_3339() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_763_683_199_999, "2025-11-20T23:59:59.999Z"),
        ] {
            assert_eq!(rfc3339(Timestamp::from_unix_millis(millis)), text);
        }
    }
}
