use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, header};
use obs_core::client_address::TrustedHops;
use obs_core::config::ConfigError;
use obs_core::log::Value;
use obs_core::propagate::TrustPolicy;
use obs_core::telemetry::Telemetry;
use obs_core::trace::Sampler;
use obs_emf::sink::Sink;

use super::capture::BodyLogging;
use super::config::{Config, MetricsMode, PanicPolicy};
use super::head::RequestHead;
use super::layer::ObserveLayer;
use super::observer::Observer;
use super::route::Route;

/// Describes an [`ObserveLayer`].
///
/// Everything has a default; the test of each setting fails if the setting is ignored.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::client_address::TrustedHops;
/// use obs_core::propagate::TrustPolicy;
/// use obs_core::telemetry::Telemetry;
/// use obs_tower::observe::{BodyLogging, MetricsMode, ObserveLayer, PanicPolicy};
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// let layer = ObserveLayer::builder(telemetry)
///     .name("orders")
///     .namespace("Shop")
///     .trust(TrustPolicy::edge())
///     .trusted_hops(TrustedHops::new(1))
///     .sample_rate(0.05)
///     .metrics_mode(MetricsMode::Hybrid { keep_one_in: 100 })
///     .metrics_interval(Duration::from_secs(10))
///     .default_tag("cell", "eu-1")
///     .dimension("Cell", "eu-1")
///     .log_header(http::header::REFERER)
///     .log_request_body(BodyLogging::default())
///     .log_response_body(BodyLogging::default())
///     .skip("/live")
///     .slow_threshold(Duration::from_secs(1))
///     .max_hold(Some(Duration::from_secs(60)))
///     .on_panic(PanicPolicy::Answer)
///     .build()?;
/// # let _ = layer;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing exists until it is built"]
pub struct ObserveLayerBuilder {
    telemetry: Telemetry,
    config: Config,
    sample_rate: Option<f64>,
}

impl ObserveLayerBuilder {
    pub(super) fn new(telemetry: Telemetry) -> Self {
        Self { telemetry, config: Config::default(), sample_rate: None }
    }

    /// Names the layer among the controls. Default `http`; two layers of one telemetry need two
    /// names, or the later one hides the earlier.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.config.name = name.into();
        self
    }

    /// Whether request lines are written. Default `true`.
    ///
    /// Without, metrics still go out, in lines that hold nothing else but ids and dimensions.
    pub const fn logging(mut self, on: bool) -> Self {
        self.config.logging = on;
        self
    }

    /// Whether requests are measured. Default `true`.
    pub const fn metrics(mut self, on: bool) -> Self {
        self.config.metrics = on;
        self
    }

    /// Whether request spans are built. Default `true`.
    ///
    /// Without, a caller's verdict is passed on to those who are called.
    pub const fn tracing(mut self, on: bool) -> Self {
        self.config.tracing = on;
        self
    }

    /// How metrics go out. Default [`MetricsMode::PerRequest`].
    pub const fn metrics_mode(mut self, mode: MetricsMode) -> Self {
        self.config.mode = mode;
        self
    }

    /// How long metrics are gathered before they go out, unless the mode is per request. Default
    /// 10 s; they also go out when the telemetry flushes, as at the end of a Lambda invocation, and
    /// at its shutdown.
    ///
    /// # Errors
    /// [`build`](Self::build) refuses what is not between 100 ms and 5 min.
    pub const fn metrics_interval(mut self, interval: Duration) -> Self {
        self.config.metrics_interval = interval;
        self
    }

    /// Where metrics go in place of the telemetry's own lines, such as the CloudWatch agent or
    /// what [`from_environment`](obs_emf::sink::from_environment) chooses; the lines of requests
    /// are bare then in any mode.
    pub fn metrics_sink(mut self, sink: Arc<dyn Sink>) -> Self {
        self.config.metrics_sink = Some(sink);
        self
    }

    /// Which headers of a request count. Default [`TrustPolicy::edge`]: trace and correlation ids
    /// do; tenant, user, timeout, attempt and debug do not.
    pub const fn trust(mut self, policy: TrustPolicy) -> Self {
        self.config.trust = policy;
        self
    }

    /// The share of traces that are recorded, from 0 to 1, of those without a caller's verdict.
    ///
    /// Default: the telemetry's sampler decides. Lines and metrics are never sampled.
    pub const fn sample_rate(mut self, rate: f64) -> Self {
        self.sample_rate = Some(rate);
        self
    }

    /// Sets the CloudWatch namespace. Default `AWS_EMF_NAMESPACE`, else the service's name.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.config.namespace = Some(namespace.into());
        self
    }

    /// Finds the route template of a request. It must come from a bounded set.
    ///
    /// Default: a [`Route`] in the request's extensions, else, with the feature `axum`, the path
    /// that axum matched.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use obs_core::telemetry::Telemetry;
    /// use obs_emf::sink::LineSink;
    /// use obs_tower::observe::{ObserveLayer, RequestHead, Route};
    ///
    /// /// The template, as a router other than axum's knows it.
    /// fn route(head: RequestHead<'_>) -> Option<Route> {
    ///     head.uri.path().starts_with("/orders/").then(|| Route::from("/orders/{id}"))
    /// }
    ///
    /// let telemetry = Telemetry::builder("orders").build()?;
    /// let sink = LineSink::of(&telemetry);
    /// let layer = ObserveLayer::builder(telemetry)
    ///     .logging(true)
    ///     .metrics(true)
    ///     .tracing(true)
    ///     .metrics_sink(Arc::new(sink))
    ///     .route(route)
    ///     .operation_name(|head| (head.method == "GET").then(|| "read order".into()))
    ///     .build()?;
    /// # let _ = layer;
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn route(
        mut self,
        route: impl Fn(RequestHead<'_>) -> Option<Route> + Send + Sync + 'static,
    ) -> Self {
        self.config.route = Some(Arc::new(route));
        self
    }

    /// Names the operation: the span's name and the field `operation`. Default: the span is named
    /// `{method} {route}`.
    pub fn operation_name(
        mut self,
        name: impl Fn(RequestHead<'_>) -> Option<Cow<'static, str>> + Send + Sync + 'static,
    ) -> Self {
        self.config.operation_name = Some(Arc::new(name));
        self
    }

    /// Finds the tenant, before the header that the trust policy may allow. Default: that header
    /// alone.
    ///
    /// ```
    /// use std::borrow::Cow;
    ///
    /// use obs_core::telemetry::Telemetry;
    /// use obs_tower::observe::{ObserveLayer, RequestHead};
    ///
    /// /// What a layer further out has authenticated.
    /// #[derive(Clone)]
    /// struct Session { tenant: String, user: String }
    ///
    /// fn tenant(head: RequestHead<'_>) -> Option<Cow<'static, str>> {
    ///     head.extensions.get::<Session>().map(|session| session.tenant.clone().into())
    /// }
    ///
    /// fn user(head: RequestHead<'_>) -> Option<Cow<'static, str>> {
    ///     head.extensions.get::<Session>().map(|session| session.user.clone().into())
    /// }
    ///
    /// let layer = ObserveLayer::builder(Telemetry::builder("orders").build()?)
    ///     .tenant_id(tenant)
    ///     .user_id(user)
    ///     .build()?;
    /// # let _ = layer;
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn tenant_id(
        mut self,
        tenant: impl Fn(RequestHead<'_>) -> Option<Cow<'static, str>> + Send + Sync + 'static,
    ) -> Self {
        self.config.tenant_id = Some(Arc::new(tenant));
        self
    }

    /// Finds the user, before the header that the trust policy may allow. Default: that header
    /// alone.
    pub fn user_id(
        mut self,
        user: impl Fn(RequestHead<'_>) -> Option<Cow<'static, str>> + Send + Sync + 'static,
    ) -> Self {
        self.config.user_id = Some(Arc::new(user));
        self
    }

    /// Adds a tag to every record: a field of the line, which is an EMF property, and an attribute
    /// of the span. Default: none.
    pub fn default_tag(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        Arc::make_mut(&mut self.config.tags).push((key, value.into()));
        self
    }

    /// Adds a dimension to every metric of the layer, and with it a member of that name to the
    /// line. Each value makes series of its own, which cost money; a tag costs none.
    ///
    /// # Errors
    /// [`build`](Self::build) refuses names and values that CloudWatch would refuse.
    pub fn dimension(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.config.dimensions.push((name, value.into()));
        self
    }

    /// Logs the beginning of request bodies, as `request_body`. Default off.
    ///
    /// Works for bodies of axum; elsewhere put a
    /// [`RequestBodyLayer`](super::RequestBodyLayer) inside.
    pub fn log_request_body(mut self, logging: BodyLogging) -> Self {
        self.config.request_body = Some(Arc::new(logging));
        self
    }

    /// Logs the beginning of response bodies, as `response_body`. Default off.
    pub fn log_response_body(mut self, logging: BodyLogging) -> Self {
        self.config.response_body = Some(Arc::new(logging));
        self
    }

    /// Leaves out the line and the span of successful requests to this route or path; they still
    /// count in metrics. For probes. Default: none is left out.
    pub fn skip(mut self, route_or_path: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.config.skip).insert(route_or_path.into());
        self
    }

    /// Logs a request header, as `header_` and its name in `snake_case`. By default none is.
    ///
    /// # Errors
    /// [`build`](Self::build) refuses headers that carry credentials: `authorization`, `cookie`
    /// and `proxy-authorization`.
    pub fn log_header(mut self, name: HeaderName) -> Self {
        let field = format!("header_{}", name.as_str().replace('-', "_"));
        self.config.headers.push((name, field.into()));
        self
    }

    /// Marks requests that take at least this long: their line carries `slow`, and their span is
    /// exported even if sampled out. Default: none is.
    pub const fn slow_threshold(mut self, threshold: Duration) -> Self {
        self.config.slow_threshold = Some(threshold);
        self
    }

    /// How long a record waits for the end of a response after its headers; the line of one that
    /// takes longer says `held`. Default 60 s; `None` waits for ever.
    pub const fn max_hold(mut self, limit: Option<Duration>) -> Self {
        self.config.max_hold = limit;
        self
    }

    /// How many proxies of our own stand in front, for the client's address. Default
    /// `OBS_TRUSTED_HOPS`, else 0.
    pub const fn trusted_hops(mut self, hops: TrustedHops) -> Self {
        self.config.trusted_hops = Some(hops);
        self
    }

    /// What happens when the handler panics. Default [`PanicPolicy::Answer`].
    pub const fn on_panic(mut self, policy: PanicPolicy) -> Self {
        self.config.panic_policy = policy;
        self
    }

    /// Checks the settings and builds the layer.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting, its value and the rule.
    pub fn build(mut self) -> Result<ObserveLayer, ConfigError> {
        if let Some(rate) = self.sample_rate {
            self.config.sampler = Some(Sampler::parent_based(Sampler::ratio(rate)?));
        }
        Ok(ObserveLayer::from_observer(Observer::new(self.telemetry, self.config)?))
    }
}

/// Headers that are never logged.
pub(super) const SECRET_HEADERS: [HeaderName; 3] =
    [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION];
