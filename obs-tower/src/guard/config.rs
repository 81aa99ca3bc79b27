use std::sync::Arc;
use std::time::Duration;

use obs_core::circuit::{CircuitBreaker, CircuitBreakerConfig, CircuitBreakers};
use obs_core::clock::Clock;
use obs_core::config::ConfigError;
use obs_core::control::Registry;
use obs_core::metric::Recorder;

use super::{GuardBuilder, GuardLayer};
use crate::bulkhead::{Bulkhead, BulkheadConfig};
use crate::load_shed::{LoadShed, LoadShedConfig};
use crate::timeout::TimeLimiter;

/// The whole guard in one configuration; a part left out lets everything pass.
///
/// ```
/// use std::time::Duration;
/// use obs_core::circuit::{CircuitBreakerConfig, SlidingWindow};
/// use obs_core::control::Registry;
/// use obs_tower::bulkhead::BulkheadConfig;
/// use obs_tower::guard::GuardConfig;
/// use obs_tower::load_shed::LoadShedConfig;
///
/// let controls = Registry::default();
/// let window = SlidingWindow::Time(Duration::from_secs(30));
/// let guard = GuardConfig::new()
///     .timeout_duration(Duration::from_secs(2))
///     .load_shed(LoadShedConfig::new())
///     .bulkhead(BulkheadConfig::new().max_concurrent_calls(50))
///     .circuit_breaker(CircuitBreakerConfig::new().sliding_window(window))
///     .controls(&controls)
///     .guard("orders")?
///     .build();
/// assert_eq!(controls.list().len(), 4);
/// assert_eq!(&**guard.bulkhead().unwrap().name(), "orders");
/// # Ok::<_, obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct GuardConfig<'a> {
    timeout_duration: Option<Duration>,
    load_shed: Option<LoadShedConfig>,
    bulkhead: Option<BulkheadConfig>,
    breaker: Option<Breaker>,
    clock: Clock,
    recorder: Option<&'a dyn Recorder>,
    controls: Option<&'a Registry>,
}

#[derive(Clone, Debug)]
struct Breaker {
    config: CircuitBreakerConfig,
    max_keys: Option<usize>,
}

/// Gives a part what all parts have in common, and builds it.
macro_rules! finish {
    ($config:ident, $builder:ident) => {{
        let mut builder = $builder.clock($config.clock.clone());
        if let Some(recorder) = $config.recorder {
            builder = builder.recorder(recorder);
        }
        if let Some(controls) = $config.controls {
            builder = builder.controls(controls);
        }
        builder.build()
    }};
}

impl<'a> GuardConfig<'a> {
    /// A guard without parts, on the system's clock.
    pub fn new() -> Self {
        Self::default()
    }

    /// Limits the time of the whole, waiting included; see [`TimeLimiter`]. Default: no limit.
    pub fn timeout_duration(mut self, limit: Duration) -> Self {
        self.timeout_duration = Some(limit);
        self
    }

    /// Sheds what could not be served in time. Default: nothing is shed.
    pub fn load_shed(mut self, config: LoadShedConfig) -> Self {
        self.load_shed = Some(config);
        self
    }

    /// Bounds concurrency. Default: no bound.
    pub fn bulkhead(mut self, config: BulkheadConfig) -> Self {
        self.bulkhead = Some(config);
        self
    }

    /// Fails at once what would fail anyway. Default: no breaker.
    pub fn circuit_breaker(mut self, config: CircuitBreakerConfig) -> Self {
        self.breaker = Some(Breaker { config, max_keys: None });
        self
    }

    /// One breaker for each of at most `max_keys` keys; [`GuardBuilder::breaker_by`] finds the key
    /// of a request. They record no metrics, whose labels would be the keys.
    ///
    /// ```
    /// use std::borrow::Cow;
    ///
    /// use http::Request;
    /// use obs_core::circuit::CircuitBreakerConfig;
    /// use obs_core::clock::Clock;
    /// use obs_core::metric;
    /// use obs_tower::guard::GuardConfig;
    ///
    /// fn host(request: &Request<()>) -> Cow<'_, str> {
    ///     request.uri().host().unwrap_or_default().into()
    /// }
    ///
    /// let guard = GuardConfig::new()
    ///     .circuit_breaker_per_key(CircuitBreakerConfig::new(), 100)
    ///     .clock(Clock::system())
    ///     .recorder(metric::disabled())
    ///     .guard("partners")?
    ///     .breaker_by(host)
    ///     .build();
    /// assert!(guard.circuit_breakers().is_some());
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn circuit_breaker_per_key(
        mut self,
        config: CircuitBreakerConfig,
        max_keys: usize,
    ) -> Self {
        self.breaker = Some(Breaker { config, max_keys: Some(max_keys) });
        self
    }

    /// The clock of all parts. Default: the system's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Records the metrics of all parts, by the name of the guard. Default nowhere.
    pub fn recorder(mut self, recorder: &'a dyn Recorder) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// Registers all parts under the name of the guard, so that operators can see and control them.
    /// Default: nowhere.
    pub fn controls(mut self, registry: &'a Registry) -> Self {
        self.controls = Some(registry);
        self
    }

    /// Builds the parts, all named `name`. A rate limit and what depends on the type of the
    /// requests is added to what it returns.
    ///
    /// # Errors
    /// [`ConfigError`] for a name that cannot be used, or the first value that breaks a rule. Parts
    /// built before the one that failed may stay registered.
    pub fn guard(self, name: impl Into<Arc<str>>) -> Result<GuardBuilder, ConfigError> {
        let name: Arc<str> = name.into();
        let mut guard = GuardLayer::builder().clock(self.clock.clone());
        if let Some(limit) = self.timeout_duration {
            let builder = TimeLimiter::builder(Arc::clone(&name)).timeout_duration(limit);
            guard = guard.time_limiter(finish!(self, builder)?);
        }
        if let Some(config) = self.load_shed.clone() {
            let builder = LoadShed::builder(Arc::clone(&name)).config(config);
            guard = guard.load_shed(finish!(self, builder)?);
        }
        if let Some(config) = self.bulkhead.clone() {
            let builder = Bulkhead::builder(Arc::clone(&name)).config(config);
            guard = guard.bulkhead(finish!(self, builder)?);
        }
        match self.breaker.clone() {
            None => Ok(guard),
            Some(Breaker { config, max_keys: None }) => {
                let builder = CircuitBreaker::builder(name).config(config);
                Ok(guard.circuit_breaker(finish!(self, builder)?))
            }
            Some(Breaker { config, max_keys: Some(max_keys) }) => {
                let controls = self.controls.cloned();
                let configure =
                    move |one: obs_core::circuit::CircuitBreakerBuilder| one.config(config.clone());
                let breakers =
                    CircuitBreakers::with(name, max_keys, self.clock, controls, configure)?;
                Ok(guard.circuit_breakers(breakers))
            }
        }
    }
}
