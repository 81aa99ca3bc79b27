//! `shop observability`: what watches the shop in CloudWatch, made from what the services declare.
//!
//! | file | is |
//! |---|---|
//! | `services/{name}.json` | a template per service: dashboard, two tiers of alarms, burn rates, queries |
//! | `alarms/shopfast-alarms.yaml` | a template: alarms of what lies between services, and composites over all |
//! | `dashboards/shopfast-dashboard.json` | the body of the dashboard of the whole shop |
//! | `dashboards/shopfast-resources.json` | the body of the dashboard of what the services run on |
//!
//! The templates of the services come first: the composites name their alarms.

mod alarms;
mod declared;
mod overview;
mod resources;
#[cfg(test)]
mod tests;
mod yaml;

use std::path::{Path, PathBuf};

use obs_core::config::ConfigError;
use obs_emf::dashboard::Watch;
use obs_emf::request::RequestMetrics;
use serde_json::{Value, json};

pub use crate::args::Place;
use crate::finding::{Finding, Found};
use crate::name::Name;

/// The objective for availability, in percent of requests without a fault.
pub const AVAILABILITY: f64 = 99.9;

/// The objective for latency: milliseconds, and the percentile that stays below.
const fn latency(service: Name) -> (f64, f64) {
    match service {
        // What the load scenarios hold carts to.
        Name::Cart => (200.0, 95.0),
        // Placing an order calls up to five services, one after the other.
        Name::Gateway | Name::Order => (1_000.0, 99.0),
        _ => (500.0, 99.0),
    }
}

/// What is written: paths below the folder, with their contents.
///
/// # Errors
/// [`ConfigError`] for an environment that cannot be a dimension.
pub fn files(place: &Place) -> Result<Vec<(PathBuf, String)>, ConfigError> {
    let mut files = Vec::new();
    for service in Name::ALL {
        let path = PathBuf::from(format!("services/{service}.json"));
        files.push((path, pretty(&watch(service, place)?.template())));
    }
    files.push(("alarms/shopfast-alarms.yaml".into(), yaml::document(&alarms_template(place))));
    let overview = pretty(&overview::body(place)?);
    files.push(("dashboards/shopfast-dashboard.json".into(), overview));
    let resources = pretty(&resources::body(place));
    files.push(("dashboards/shopfast-resources.json".into(), resources));
    Ok(files)
}

/// The template of `alarms/shopfast-alarms.yaml`, before it is written as YAML.
#[must_use]
pub fn alarms_template(place: &Place) -> Value {
    alarms::template(place)
}

fn pretty(document: &Value) -> String {
    format!("{document:#}\n")
}

/// One service with its objectives, its own metrics and what it runs on.
fn watch(service: Name, place: &Place) -> Result<Watch, ConfigError> {
    let metrics = RequestMetrics::builder(service.as_str(), &place.environment).build()?;
    let (milliseconds, percentile) = latency(service);
    let mut watch = Watch::new(&metrics, service.as_str(), &place.environment)
        .availability(AVAILABILITY)
        .latency(milliseconds, percentile)
        .log_group(format!("/shopfast/{service}"));
    for resource in resources::of(service) {
        watch = watch.resource(resource.namespace, resource.metric, resource.dimensions);
    }
    for shape in declared::of(service)? {
        watch = watch.events(&shape);
    }
    Ok(watch)
}

/// Writes the files below `folder`; says which.
pub(crate) fn write(folder: &Path, place: &Place) -> Found {
    let files = files(place)?;
    let mut text = String::new();
    for (path, content) in &files {
        let file = folder.join(path);
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&file, content)?;
        text.push_str(&format!("  {:>7} bytes  {}\n", content.len(), file.display()));
    }
    let written: Vec<_> = files.iter().map(|(path, _)| folder.join(path)).collect();
    Ok(Finding { good: true, json: json!({ "written": written }), text })
}
