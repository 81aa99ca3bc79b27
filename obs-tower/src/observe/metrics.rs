//! The metrics of a request.

use obs_core::config::ConfigError;
use obs_core::telemetry::Telemetry;
use obs_emf::request::{Observation, RequestMetrics};

use super::config::Config;
use super::ending::Ending;
use super::recording::Recording;
use super::route::Route;

/// Compiles the envelope that request lines carry.
pub(super) fn declare(
    telemetry: &Telemetry,
    config: &Config,
) -> Result<RequestMetrics, ConfigError> {
    let (service, environment) = (telemetry.service_name(), telemetry.deployment_environment());
    let builder = RequestMetrics::builder(service, environment);
    match &config.namespace {
        Some(namespace) => builder.namespace(namespace.clone()),
        None => builder.from_environment(telemetry.environment()),
    }
    .build()
}

/// What the metrics need to know of a request.
pub(super) fn observation<'a>(recording: &'a Recording, ending: &Ending) -> Observation<'a> {
    Observation {
        route: recording.route.as_ref().map(Route::as_str),
        error: ending.is_error(),
        fault: ending.is_fault(),
        latency: ending.at - recording.started,
        response_size: recording.response.as_ref().map(|_| recording.response_bytes),
        in_flight: recording.in_flight,
        ..Observation::new(recording.method)
    }
}
