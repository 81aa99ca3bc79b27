//! The metrics of a request: in its line, or gathered.

use std::sync::{Arc, OnceLock};

use obs_core::config::ConfigError;
use obs_core::context::Recorded;
use obs_core::metric::{Counter, Gauge, Histogram, Label, Recorder};
use obs_core::telemetry::Telemetry;
use obs_emf::request::{
    ERRORS, FAULTS, IN_FLIGHT, LATENCY, METHOD, Observation, REQUESTS, RESPONSE_SIZE, ROUTE,
    RequestMetrics,
};

use super::by_route::ByRoute;
use super::config::{Config, MetricsMode};
use super::ending::Ending;
use super::recording::Recording;
use super::route::Route;
use crate::exchange::milliseconds;

/// Where the metrics of requests go.
#[derive(Debug)]
pub(super) enum Metrics {
    Off,
    /// Into the line of each request.
    PerRequest(RequestMetrics),
    /// To the telemetry's recorder.
    Gathered(Gathered),
}

impl Metrics {
    pub(super) fn declare(telemetry: &Telemetry, config: &Config) -> Result<Self, ConfigError> {
        if !config.metrics {
            return Ok(Self::Off);
        }
        if config.mode != MetricsMode::PerRequest {
            return Ok(Self::Gathered(Gathered::default()));
        }
        let (service, environment) = (telemetry.service_name(), telemetry.deployment_environment());
        let mut builder = RequestMetrics::builder(service, environment);
        for (name, value) in &config.dimensions {
            builder = builder.dimension(*name, value.clone());
        }
        let builder = match &config.namespace {
            Some(namespace) => builder.namespace(namespace.clone()),
            None => builder.from_environment(telemetry.environment()),
        };
        builder.build().map(Self::PerRequest)
    }

    pub(super) const fn per_request(&self) -> Option<&RequestMetrics> {
        match self {
            Self::PerRequest(metrics) => Some(metrics),
            _ => None,
        }
    }

    /// Hands the values to the recorder, if that is where they go.
    pub(super) fn gather(
        &self,
        recorder: &dyn Recorder,
        recording: &Recording,
        recorded: &Recorded,
        ending: &Ending,
    ) {
        if let Self::Gathered(gathered) = self {
            let observation = observation(recording, ending);
            gathered.record(recorder, recording.method, recording.route(), &observation);
            for (metric, value) in &recorded.metrics {
                recorder.histogram(metric, &[]).record(*value);
            }
        }
    }
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

/// The handles of the service as a whole and of each method and route, asked for once.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    service: OnceLock<Arc<Handles>>,
    routes: ByRoute<Arc<Handles>>,
}

impl Gathered {
    fn record(
        &self,
        recorder: &dyn Recorder,
        method: &'static str,
        route: &str,
        observation: &Observation<'_>,
    ) {
        self.service.get_or_init(|| Handles::new(recorder, &[])).record(observation);
        let make = |route: &str| Handles::new(recorder, &[(METHOD, method), (ROUTE, route)]);
        self.routes.get(method, route, make).record(observation);
    }
}

#[derive(Debug)]
struct Handles {
    requests: Counter,
    errors: Counter,
    faults: Counter,
    latency: Histogram,
    response_size: Histogram,
    in_flight: Gauge,
}

impl Handles {
    fn new(recorder: &dyn Recorder, labels: &[Label<'_>]) -> Arc<Self> {
        Arc::new(Self {
            requests: recorder.counter(&REQUESTS, labels),
            errors: recorder.counter(&ERRORS, labels),
            faults: recorder.counter(&FAULTS, labels),
            latency: recorder.histogram(&LATENCY, labels),
            response_size: recorder.histogram(&RESPONSE_SIZE, labels),
            in_flight: recorder.gauge(&IN_FLIGHT, labels),
        })
    }

    fn record(&self, observation: &Observation<'_>) {
        self.requests.add(1);
        self.errors.add(observation.error.into());
        self.faults.add(observation.fault.into());
        self.latency.record(milliseconds(observation.latency));
        if let Some(size) = observation.response_size {
            self.response_size.record(size as f64);
        }
        self.in_flight.set(observation.in_flight as f64);
    }
}
