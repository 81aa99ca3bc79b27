use std::fmt;
use std::sync::{Arc, Mutex};

use super::control::TelemetryControl;
use super::filter::LineFilter;
use tracing::Level;

use super::call_sites::{self, CallSites};
#[cfg(feature = "debug-on-demand")]
use super::debug_key::DebugKey;
use super::looks::default_output;
use super::{Inner, Telemetry, live_filters};
use crate::clock::Clock;
use crate::config::ConfigError;
use crate::control::Registry;
use crate::environment::Environment;
use crate::id::IdGenerator;
use crate::log::{LineFormat, Redactor};
use crate::metric::{Disabled, Recorder};
use crate::output::Output;
use crate::propagate::Propagators;
use crate::resource::Resource;
use crate::trace::{Sampler, SpanExporter, Tracer, exporter_from_environment};

const DEFAULT_DEPLOYMENT_ENVIRONMENT: &str = "local";

/// Describes a [`Telemetry`].
///
/// ```
/// use obs_core::environment::Environment;
/// use obs_core::log::Redactor;
/// use obs_core::output::Output;
/// use obs_core::propagate::Propagators;
/// use obs_core::resource::Resource;
/// use obs_core::telemetry::Telemetry;
/// use obs_core::trace::{MemoryExporter, Sampler};
///
/// let (output, _lines) = Output::captured();
/// let spans = MemoryExporter::default();
/// let telemetry = Telemetry::builder("orders")
///     .environment(Environment::empty())
///     .deployment_environment("test")
///     .output(output)
///     .level_filter("info,orders=debug")
///     .max_line_bytes(64 * 1024)
///     .redactor(Redactor::new().key("coupon"))
///     .call_site_limit(100, 10)
///     .flight_recorder(tracing::Level::DEBUG, 16 * 1024)
///     .resource(Resource::empty().with("service.version", "1.4.2"))
///     .sampler(Sampler::always_on())
///     .span_exporter(spans.clone())
///     .propagators(Propagators::from_names("tracecontext,baggage")?)
///     .build()?;
/// assert_eq!(telemetry.deployment_environment(), "test");
/// assert_eq!(telemetry.resource().get("service.version"), Some("1.4.2"));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
pub struct TelemetryBuilder {
    service_name: String,
    deployment_environment: Option<String>,
    environment: Option<Environment>,
    clock: Clock,
    ids: IdGenerator,
    output: Option<Output>,
    level_filter: String,
    max_line_bytes: usize,
    redactor: Redactor,
    call_sites: Option<(u32, u32)>,
    flight_recorder: Option<(Level, usize)>,
    #[cfg(feature = "debug-on-demand")]
    debug_key: Option<DebugKey>,
    resource: Resource,
    sampler: Option<Sampler>,
    exporter: Option<Box<dyn SpanExporter>>,
    propagators: Option<Propagators>,
    recorder: Option<Arc<dyn Recorder>>,
    controls: Registry,
}

impl TelemetryBuilder {
    pub(super) fn new(service_name: String) -> Self {
        Self {
            service_name,
            deployment_environment: None,
            environment: None,
            clock: Clock::system(),
            ids: IdGenerator::system(),
            output: None,
            level_filter: "info".to_owned(),
            max_line_bytes: LineFormat::DEFAULT_MAX_LINE_BYTES,
            redactor: Redactor::new(),
            call_sites: None,
            flight_recorder: None,
            #[cfg(feature = "debug-on-demand")]
            debug_key: None,
            resource: Resource::empty(),
            sampler: None,
            exporter: None,
            propagators: None,
            recorder: None,
            controls: Registry::default(),
        }
    }

    /// Sets the environment. Default [`Environment::process`].
    #[must_use]
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = Some(environment);
        self
    }

    /// Sets where the service is deployed, for when `deployment.environment.name` is not among
    /// `OTEL_RESOURCE_ATTRIBUTES`. Default `local`.
    #[must_use]
    pub fn deployment_environment(mut self, name: impl Into<String>) -> Self {
        self.deployment_environment = Some(name.into());
        self
    }

    /// Sets the clock. Default [`Clock::system`].
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use obs_core::clock::ManualClock;
    /// use obs_core::control::Registry;
    /// use obs_core::id::IdGenerator;
    /// use obs_core::telemetry::Telemetry;
    ///
    /// let (clock, controls) = (ManualClock::default(), Registry::default());
    /// let telemetry = Telemetry::builder("orders")
    ///     .clock(clock.clock())
    ///     .ids(IdGenerator::seeded(7))
    ///     .controls(controls.clone())
    ///     .build()?;
    /// assert_eq!(telemetry.clock().wall(), clock.clock().wall());
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets what makes ids. Default [`IdGenerator::system`].
    #[must_use]
    pub fn ids(mut self, ids: IdGenerator) -> Self {
        self.ids = ids;
        self
    }

    /// Sets where lines go. Default [`Output::stdout`], made readable for people when
    /// `OBS_LOG_FORMAT` is `pretty`, in colours at a terminal unless `NO_COLOR` is set.
    #[must_use]
    pub fn output(mut self, output: Output) -> Self {
        self.output = Some(output);
        self
    }

    /// Sets which lines are written when neither `RUST_LOG` nor, in Lambda's JSON format,
    /// `AWS_LAMBDA_LOG_LEVEL` says so. Default `info`.
    ///
    /// Directives as in `info,hyper=warn,shop::orders=debug`: a level, or `target=level`, the
    /// longest target that begins an event's target wins.
    #[must_use]
    pub fn level_filter(mut self, directives: impl Into<String>) -> Self {
        self.level_filter = directives.into();
        self
    }

    /// Sets the longest line, in bytes; see [`LineFormat::max_line_bytes`]. Default
    /// [`LineFormat::DEFAULT_MAX_LINE_BYTES`].
    #[must_use]
    pub fn max_line_bytes(mut self, bytes: usize) -> Self {
        self.max_line_bytes = bytes;
        self
    }

    /// Sets which values are hidden, in lines and in spans. Default [`Redactor::new`].
    #[must_use]
    pub fn redactor(mut self, redactor: Redactor) -> Self {
        self.redactor = redactor;
        self
    }

    /// Limits the lines of each call site: `burst` at once, and `per_second` in the long run.
    /// Default no limit.
    ///
    /// What is suppressed is counted as `rate_limited`, and the next line of the call site tells
    /// how many there were, in the field `suppressed`. Request lines are no call site's.
    #[must_use]
    pub fn call_site_limit(mut self, burst: u32, per_second: u32) -> Self {
        self.call_sites = Some((burst, per_second));
        self
    }

    /// Keeps lines down to `level` that the filter does not let through, for each request, and
    /// writes them only if it ends in an error, a panic, a cancellation, or late. Default off.
    ///
    /// At most `max_bytes` for each request, the newest; at least 1 KiB.
    #[must_use]
    pub fn flight_recorder(mut self, level: Level, max_bytes: usize) -> Self {
        self.flight_recorder = Some((level, max_bytes));
        self
    }

    /// Sets the key of signed requests for more lines. Default the secret in `OBS_DEBUG_KEY`;
    /// without one, none is granted.
    #[cfg(feature = "debug-on-demand")]
    #[must_use]
    pub fn debug_key(mut self, key: DebugKey) -> Self {
        self.debug_key = Some(key);
        self
    }

    /// Adds attributes of the service and its host. What the environment says wins over them.
    /// Default: none.
    #[must_use]
    pub fn resource(mut self, resource: Resource) -> Self {
        self.resource = resource.or(self.resource);
        self
    }

    /// Sets the sampler, for when `OTEL_TRACES_SAMPLER` does not. Default: the caller's verdict,
    /// and every trace that begins here.
    #[must_use]
    pub fn sampler(mut self, sampler: Sampler) -> Self {
        self.sampler = Some(sampler);
        self
    }

    /// Sets where spans go. Default [`exporter_from_environment`], which is not asked when it is set
    /// here.
    #[must_use]
    pub fn span_exporter(mut self, exporter: impl SpanExporter) -> Self {
        self.exporter = Some(Box::new(exporter));
        self
    }

    /// Sets where spans go, for an exporter whose type is not known here.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use obs_core::telemetry::{DebugKey, Telemetry};
    /// use obs_core::trace::MemoryExporter;
    /// # use obs_core::metric::{Counter, Descriptor, Gauge, Histogram, Label, Recorder};
    /// # #[derive(Debug)]
    /// # struct NoMetrics;
    /// # impl Recorder for NoMetrics {
    /// #     fn counter(&self, _: &Descriptor, _: &[Label<'_>]) -> Counter { Counter::disabled() }
    /// #     fn gauge(&self, _: &Descriptor, _: &[Label<'_>]) -> Gauge { Gauge::disabled() }
    /// #     fn histogram(&self, _: &Descriptor, _: &[Label<'_>]) -> Histogram { Histogram::disabled() }
    /// # }
    ///
    /// let telemetry = Telemetry::builder("orders")
    ///     .boxed_span_exporter(Box::new(MemoryExporter::default()))
    ///     .metrics(Arc::new(NoMetrics))
    ///     .debug_key(DebugKey::new("a secret of at least thirty-two bytes")?)
    ///     .build()?;
    /// assert!(telemetry.tracer().is_recording());
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub fn boxed_span_exporter(mut self, exporter: Box<dyn SpanExporter>) -> Self {
        self.exporter = Some(exporter);
        self
    }

    /// Sets what reads and writes the headers that carry ids. Default
    /// [`Propagators::from_environment`], which is not asked when they are set here.
    #[must_use]
    pub fn propagators(mut self, propagators: Propagators) -> Self {
        self.propagators = Some(propagators);
        self
    }

    /// Sets where metric values go. Default nowhere.
    #[must_use]
    pub fn metrics(mut self, recorder: Arc<dyn Recorder>) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// Sets the registry that this telemetry, and what is built on it, is registered in. Default
    /// one of its own.
    #[must_use]
    pub fn controls(mut self, controls: Registry) -> Self {
        self.controls = controls;
        self
    }

    /// Builds the telemetry and registers it among the controls.
    ///
    /// # Errors
    /// [`ConfigError`] names the field or the variable that breaks a rule.
    pub fn build(mut self) -> Result<Telemetry, ConfigError> {
        self.check_limits()?;
        let environment = self.environment.take().unwrap_or_else(Environment::process);
        let resource = self.take_resource(&environment)?;
        let service_name = service_name_of(&resource)?;
        let deployment_environment = deployment_environment_of(&resource);
        let mut filter = LineFilter::from_environment(&environment, &self.level_filter)?;
        if let Some((level, _)) = self.flight_recorder {
            filter.raise_to(level.into());
        }
        #[cfg(feature = "debug-on-demand")]
        let debug_key = match (self.debug_key.take(), environment.get("OBS_DEBUG_KEY")) {
            (None, Some(secret)) => Some(DebugKey::new(secret)?),
            (key, _) => key,
        };
        #[cfg(feature = "debug-on-demand")]
        if debug_key.is_some() {
            filter.raise_to(tracing::level_filters::LevelFilter::TRACE);
        }
        let filter = Arc::new(filter);
        let format = LineFormat::new(&service_name)
            .redactor(self.redactor.clone())
            .max_line_bytes(self.max_line_bytes)?;
        let propagators = match self.propagators.take() {
            Some(propagators) => propagators,
            None => Propagators::from_environment(&environment)?,
        };
        let output = match self.output.take() {
            Some(output) => output,
            None => default_output(&environment)?,
        };
        // Last, because it starts a thread.
        let tracer = self.take_tracer(&environment, &resource)?;

        live_filters::add(&filter);
        let telemetry = Telemetry(Arc::new(Inner {
            environment,
            resource,
            service_name,
            deployment_environment,
            clock: self.clock,
            ids: self.ids,
            output,
            format,
            filter,
            tracer,
            propagators,
            recorder: self.recorder.unwrap_or_else(|| Arc::new(Disabled)),
            controls: self.controls,
            call_sites: self.call_sites.map(|(burst, rate)| CallSites::new(burst, rate)),
            flight_recorder: self.flight_recorder,
            #[cfg(feature = "debug-on-demand")]
            debug_key,
            self_metrics: Mutex::default(),
            flush_hooks: Mutex::default(),
            shutdown: Mutex::default(),
        }));
        telemetry.controls().register(Arc::new(TelemetryControl::new(&telemetry)));
        Ok(telemetry)
    }

    fn check_limits(&self) -> Result<(), ConfigError> {
        if let Some((_, max_bytes)) = self.flight_recorder
            && max_bytes < 1_024
        {
            let rule = "must keep at least 1024 bytes";
            return Err(ConfigError::new("flight_recorder", max_bytes, rule));
        }
        if let Some((burst, per_second)) = self.call_sites
            && !call_sites::is_valid(burst, per_second)
        {
            let value = format!("{burst}, {per_second}");
            let rule = "burst and rate must be at least 1, and the rate at most 1000000000";
            return Err(ConfigError::new("call_site_limit", value, rule));
        }
        Ok(())
    }

    /// What the environment says, then the code.
    fn take_resource(&mut self, environment: &Environment) -> Result<Resource, ConfigError> {
        let mut named = std::mem::take(&mut self.resource);
        if let Some(name) = self.deployment_environment.take() {
            named.set("deployment.environment.name", name);
        }
        let service_name = std::mem::take(&mut self.service_name);
        let of_code = named.or(Resource::empty().with("service.name", service_name));
        Ok(Resource::from_environment(environment)?.or(of_code))
    }

    fn take_tracer(
        &mut self,
        environment: &Environment,
        resource: &Resource,
    ) -> Result<Tracer, ConfigError> {
        let mut tracer = Tracer::builder()
            .clock(self.clock.clone())
            .ids(self.ids.clone())
            .redactor(self.redactor.clone());
        if let Some(sampler) = self.sampler.take() {
            tracer = tracer.sampler(sampler);
        }
        tracer = tracer.from_environment(environment)?;
        let exporter = match self.exporter.take() {
            Some(exporter) => Some(exporter),
            None => exporter_from_environment(environment, resource)?,
        };
        if let Some(exporter) = exporter {
            tracer = tracer.boxed_exporter(exporter);
        }
        tracer.build()
    }
}

fn service_name_of(resource: &Resource) -> Result<Arc<str>, ConfigError> {
    let name = resource.get("service.name").unwrap_or_default();
    if name.trim().is_empty() {
        return Err(ConfigError::new("service_name", name, "must not be empty"));
    }
    if name.len() > 255 {
        return Err(ConfigError::new("service_name", name, "must be at most 255 bytes long"));
    }
    Ok(name.into())
}

fn deployment_environment_of(resource: &Resource) -> Arc<str> {
    resource
        .get("deployment.environment.name")
        .or_else(|| resource.get("deployment.environment"))
        .unwrap_or(DEFAULT_DEPLOYMENT_ENVIRONMENT)
        .into()
}

impl fmt::Debug for TelemetryBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TelemetryBuilder")
            .field("service_name", &self.service_name)
            .finish_non_exhaustive()
    }
}
