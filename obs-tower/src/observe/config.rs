//! What a layer is told to do.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};
use obs_core::client_address::TrustedHops;
use obs_core::config::ConfigError;
use obs_core::log::Value;
use obs_core::propagate::TrustPolicy;
use obs_core::trace::Sampler;
use obs_emf::sink::Sink;

use super::builder::SECRET_HEADERS;
use super::capture::BodyLogging;
use super::head::RequestHead;
use super::route::Route;

/// How long a record waits for the end of a response whose headers are out.
pub(super) const DEFAULT_MAX_HOLD: Duration = Duration::from_secs(60);

/// How long metrics are gathered.
const DEFAULT_METRICS_INTERVAL: Duration = Duration::from_secs(10);

/// What happens when the handler panics.
///
/// ```
/// use obs_core::telemetry::Telemetry;
/// use obs_tower::observe::{ObserveLayer, PanicPolicy};
///
/// // Another layer further out answers panics.
/// let telemetry = Telemetry::builder("orders").build()?;
/// let layer = ObserveLayer::builder(telemetry).on_panic(PanicPolicy::Resume).build()?;
/// # let _ = layer;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PanicPolicy {
    /// The caller gets 500 with problem details, and the panic goes no further.
    #[default]
    Answer,
    /// The panic goes on once it is recorded; a server then cuts the connection, unless a layer
    /// outside answers.
    Resume,
}

/// How the metrics of requests go out.
///
/// ```
/// use obs_core::telemetry::Telemetry;
/// use obs_tower::observe::{MetricsMode, ObserveLayer};
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// let layer = ObserveLayer::builder(telemetry).metrics_mode(MetricsMode::Aggregated).build()?;
/// # let _ = layer;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum MetricsMode {
    /// Each request's line carries its metrics.
    #[default]
    PerRequest,
    /// Values are gathered by method and route, and go out in one line for each of them and
    /// [window](super::ObserveLayerBuilder::metrics_interval), with the trace ids of the slowest
    /// and of the last failed request; the lines of requests are bare.
    Aggregated,
    /// As `Aggregated`, and of the successful, fast requests only one line in `keep_one_in` is
    /// written, chosen by the trace id. Errors, requests above the slow threshold and the slowest
    /// one so far of each method, route and window always have their line. Each line says in
    /// `sample_weight` for how many requests it stands.
    Hybrid {
        /// At least 1.
        keep_one_in: u32,
    },
}

/// What every record of a layer carries.
pub(super) type Tags = Vec<(&'static str, Value)>;

type Extract<T> = Arc<dyn Fn(RequestHead<'_>) -> Option<T> + Send + Sync>;

/// The settings of a layer, checked.
#[derive(Clone)]
pub(super) struct Config {
    pub(super) logging: bool,
    pub(super) metrics: bool,
    pub(super) tracing: bool,
    pub(super) name: String,
    pub(super) mode: MetricsMode,
    pub(super) metrics_interval: Duration,
    pub(super) metrics_sink: Option<Arc<dyn Sink>>,
    pub(super) trust: TrustPolicy,
    pub(super) sampler: Option<Sampler>,
    pub(super) namespace: Option<String>,
    pub(super) route: Option<Extract<Route>>,
    pub(super) operation_name: Option<Extract<Cow<'static, str>>>,
    pub(super) tenant_id: Option<Extract<Cow<'static, str>>>,
    pub(super) user_id: Option<Extract<Cow<'static, str>>>,
    pub(super) tags: Arc<Tags>,
    pub(super) dimensions: Vec<(&'static str, String)>,
    pub(super) skip: Arc<HashSet<String>>,
    /// With the names of their fields.
    pub(super) headers: Vec<(HeaderName, Arc<str>)>,
    pub(super) request_body: Option<Arc<BodyLogging>>,
    pub(super) response_body: Option<Arc<BodyLogging>>,
    pub(super) slow_threshold: Option<Duration>,
    pub(super) max_hold: Option<Duration>,
    pub(super) panic_policy: PanicPolicy,
    pub(super) trusted_hops: Option<TrustedHops>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            logging: true,
            metrics: true,
            tracing: true,
            name: "http".to_owned(),
            mode: MetricsMode::PerRequest,
            metrics_interval: DEFAULT_METRICS_INTERVAL,
            metrics_sink: None,
            trust: TrustPolicy::edge(),
            sampler: None,
            namespace: None,
            route: None,
            operation_name: None,
            tenant_id: None,
            user_id: None,
            tags: Arc::default(),
            dimensions: Vec::new(),
            skip: Arc::default(),
            headers: Vec::new(),
            request_body: None,
            response_body: None,
            slow_threshold: None,
            max_hold: Some(DEFAULT_MAX_HOLD),
            panic_policy: PanicPolicy::Answer,
            trusted_hops: None,
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("name", &self.name)
            .field("logging", &self.logging)
            .field("metrics", &self.metrics)
            .field("tracing", &self.tracing)
            .finish_non_exhaustive()
    }
}

impl Config {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if let Some(header) = self.headers.iter().find(|(name, _)| SECRET_HEADERS.contains(name)) {
            let rule = "carries credentials, which are never logged";
            return Err(ConfigError::new("log_header", &header.0, rule));
        }
        if let MetricsMode::Hybrid { keep_one_in: 0 } = self.mode {
            return Err(ConfigError::new("keep_one_in", 0, "must be at least 1"));
        }
        for (field, body) in
            [("log_request_body", &self.request_body), ("log_response_body", &self.response_body)]
        {
            body.as_ref().map_or(Ok(()), |body| body.check(field))?;
        }
        Ok(())
    }

    pub(super) fn is_slow(&self, duration: Duration) -> bool {
        self.slow_threshold.is_some_and(|threshold| duration >= threshold)
    }

    pub(super) fn skips(&self, route: Option<&Route>, head: &RequestHead<'_>) -> bool {
        !self.skip.is_empty()
            && (route.is_some_and(|route| self.skip.contains(route.as_str()))
                || self.skip.contains(head.uri.path()))
    }

    /// The headers on the list, with the names of their fields.
    pub(super) fn logged_headers<'a>(
        &'a self,
        headers: &'a HeaderMap,
    ) -> impl Iterator<Item = (Arc<str>, HeaderValue)> + 'a {
        let logged = self.headers.iter();
        logged.filter_map(|(name, field)| Some((Arc::clone(field), headers.get(name)?.clone())))
    }
}
