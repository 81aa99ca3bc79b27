//! The metrics of a request: in its line, apart from it, or gathered.

use std::sync::Arc;

use obs_core::clock::Timestamp;
use obs_core::config::ConfigError;
use obs_core::context::Recorded;
use obs_core::log::Ids;
use obs_core::telemetry::Telemetry;
use obs_emf::aggregate::{Emission, Flusher, Mode};
use obs_emf::request::{Observation, RequestAggregator, RequestMetrics};
use obs_emf::sink::{LineSink, Sink};
use tracing::Level;

use super::config::{Config, MetricsMode};
use super::ending::Ending;
use super::recording::Recording;
use super::route::Route;

/// Where the metrics of requests go.
#[derive(Debug)]
pub(super) enum Metrics {
    Off,
    /// Into the line of each request.
    InLine(RequestMetrics),
    /// One record for each request, beside its line.
    Apart(RequestMetrics, Arc<dyn Sink>),
    /// Gathered over a window; the telemetry holds what flushes it.
    Gathered(RequestAggregator),
}

/// The line of a request as the mode of the metrics has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Share {
    /// It has one that stands for itself.
    Whole,
    /// It has one that stands for so many requests.
    Weighted(u32),
    /// It has none.
    None,
}

impl Metrics {
    pub(super) fn declare(telemetry: &Telemetry, config: &Config) -> Result<Self, ConfigError> {
        if !config.metrics {
            return Ok(Self::Off);
        }
        let metrics = declare(telemetry, config)?;
        let mode = match config.mode {
            MetricsMode::PerRequest => {
                let apart = config.metrics_sink.clone();
                return Ok(match apart {
                    Some(sink) => Self::Apart(metrics, sink),
                    None => Self::InLine(metrics),
                });
            }
            MetricsMode::Aggregated => Mode::Aggregated,
            MetricsMode::Hybrid { keep_one_in } => Mode::Hybrid { one_in: keep_one_in },
        };
        let gathered = RequestAggregator::new(&metrics, mode, telemetry.clock().clone());
        let sink = config.metrics_sink.clone();
        let sink = sink.unwrap_or_else(|| Arc::new(LineSink::of(telemetry)));
        let flusher = Flusher::builder(sink)
            .drain(gathered.events().clone())
            .interval(config.metrics_interval)
            .start()?;
        flusher.attach(telemetry);
        Ok(Self::Gathered(gathered))
    }

    /// The metrics that go out in the request's line.
    pub(super) const fn in_line(&self) -> Option<&RequestMetrics> {
        match self {
            Self::InLine(metrics) => Some(metrics),
            _ => None,
        }
    }

    /// Hands the values to whatever is not the line, and says what becomes of the line.
    pub(super) fn hand_over(
        &self,
        recording: &Recording,
        recorded: &Recorded,
        ending: &Ending,
        is_slow: bool,
    ) -> Share {
        match self {
            Self::Off | Self::InLine(_) => Share::Whole,
            Self::Apart(metrics, sink) => {
                let at = at(recording, ending);
                let context = &recording.context;
                let ids = Ids { span_id: Some(context.span_id()), ..context.ids() };
                let seen = observation(recording, ending);
                metrics.emit(at, &seen, &recorded.metrics, ids, sink);
                Share::Whole
            }
            Self::Gathered(gathered) => {
                let is_notable = is_slow || ending.level() != Level::INFO;
                let seen = observation(recording, ending);
                match gathered.observe(&seen, &recorded.metrics, is_notable) {
                    Emission { line: false, .. } => Share::None,
                    Emission { weight: Some(weight), .. } => Share::Weighted(weight),
                    _ => Share::Whole,
                }
            }
        }
    }
}

fn declare(telemetry: &Telemetry, config: &Config) -> Result<RequestMetrics, ConfigError> {
    let (service, environment) = (telemetry.service_name(), telemetry.deployment_environment());
    let mut builder = RequestMetrics::builder(service, environment).entity(telemetry.resource());
    for (name, value) in &config.dimensions {
        builder = builder.dimension(*name, value.clone());
    }
    if let Some(namespace) = &config.namespace {
        builder = builder.namespace(namespace.clone());
    }
    builder.from_environment(telemetry.environment()).build()
}

/// When a request ended.
pub(super) fn at(recording: &Recording, ending: &Ending) -> Timestamp {
    recording.wall.saturating_add(ending.at - recording.started)
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
        trace_id: Some(recording.context.trace_id()),
        ..Observation::new(recording.method)
    }
}
