use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use http::StatusCode;
use obs_core::clock::Clock;
use obs_core::config::ConfigError;
use obs_core::control::{Kind, Registry};
use obs_core::environment::Environment;
use obs_core::metric::{self, Recorder};

use super::slot::Slot;
use super::{Dependency, HealthRegistry, Identity, Inner, Observer, WatchedControl};
use crate::access::Access;
use crate::check::Heartbeat;

const HEARTBEAT_INTERVAL: Duration = Duration::from_millis(250);

/// Configures a [`HealthRegistry`].
///
/// ```
/// use std::time::Duration;
///
/// use http::StatusCode;
/// use obs_core::clock::Clock;
/// use obs_core::control::{Kind, Registry};
/// use obs_core::environment::Environment;
/// use obs_health::{Dependency, Event, HealthRegistry};
///
/// let health = HealthRegistry::builder("orders")
///     .version("1.4.2")
///     .environment(Environment::from_iter([("POD_NAME", "orders-7d9")]))
///     .dependency(Dependency::required("database", async || Ok::<(), std::io::Error>(())))
///     .controls(Registry::default())
///     .required_control(Kind::CircuitBreaker, "payment")
///     .optional_control(Kind::CircuitBreaker, "recommendations")
///     .clock(Clock::system())
///     .degraded_status(StatusCode::OK)
///     .liveness_time_limit(Duration::from_secs(10))
///     .observer(|event: &Event<'_>| eprintln!("{event:?}"))
///     .seed(7)
///     .build()?;
/// assert!(!health.is_draining());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[must_use]
pub struct HealthBuilder {
    service: String,
    version: Option<String>,
    environment: Environment,
    dependencies: Vec<Dependency>,
    controls: Registry,
    watched: Vec<WatchedControl>,
    recorder: Option<Arc<dyn Recorder>>,
    clock: Clock,
    degraded_status: StatusCode,
    liveness_time_limit: Duration,
    observer: Box<dyn Observer>,
    seed: Option<u64>,
}

impl HealthBuilder {
    pub(super) fn new(service: String) -> Self {
        Self {
            service,
            version: None,
            environment: Environment::empty(),
            dependencies: Vec::new(),
            controls: Registry::default(),
            watched: Vec::new(),
            recorder: None,
            clock: Clock::system(),
            degraded_status: StatusCode::OK,
            liveness_time_limit: Duration::from_secs(10),
            observer: Box::new(()),
            seed: None,
        }
    }

    /// Sets the version that reports name. Default: none is named.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Reads `POD_NAME`, `NODE_NAME` and `OBS_ADMIN_TOKEN` from `environment`. Default: none of
    /// them is set.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Adds a dependency. Default: there is none, and the service is ready.
    pub fn dependency(mut self, dependency: Dependency) -> Self {
        self.dependencies.push(dependency);
        self
    }

    /// Serves and counts the controls of `registry`. Default: an empty one.
    pub fn controls(mut self, registry: Registry) -> Self {
        self.controls = registry;
        self
    }

    /// Makes readiness fail while this control does, such as an open breaker without whose
    /// dependency nothing works. A control that is not registered passes.
    pub fn required_control(self, kind: Kind, name: impl Into<String>) -> Self {
        self.watch(kind, name.into(), true)
    }

    /// Degrades readiness while this control fails.
    pub fn optional_control(self, kind: Kind, name: impl Into<String>) -> Self {
        self.watch(kind, name.into(), false)
    }

    fn watch(mut self, kind: Kind, name: String, is_required: bool) -> Self {
        self.watched.push(WatchedControl { kind, name, is_required });
        self
    }

    /// Records `DependencyUp`, `DependencyStateChanges` and `DependencyCheckDuration`, each with
    /// the label `Dependency`. Default: recorded nowhere.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use obs_health::HealthRegistry;
    /// # use obs_core::metric::{Counter, Descriptor, Gauge, Histogram, Label, Recorder};
    /// # #[derive(Debug)]
    /// # struct NoMetrics;
    /// # impl Recorder for NoMetrics {
    /// #     fn counter(&self, _: &Descriptor, _: &[Label<'_>]) -> Counter { Counter::disabled() }
    /// #     fn gauge(&self, _: &Descriptor, _: &[Label<'_>]) -> Gauge { Gauge::disabled() }
    /// #     fn histogram(&self, _: &Descriptor, _: &[Label<'_>]) -> Histogram { Histogram::disabled() }
    /// # }
    ///
    /// let health = HealthRegistry::builder("orders").recorder(Arc::new(NoMetrics)).build()?;
    /// # let _ = health;
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn recorder(mut self, recorder: Arc<dyn Recorder>) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// Reads the time from `clock`, which must move with Tokio's timers. Default: the system's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Status of a degraded service. Default 200, so that a missing cache takes no instance out.
    pub fn degraded_status(mut self, status: StatusCode) -> Self {
        self.degraded_status = status;
        self
    }

    /// How late the runtime's heartbeat may be before liveness fails. Default 10 s.
    pub fn liveness_time_limit(mut self, limit: Duration) -> Self {
        self.liveness_time_limit = limit;
        self
    }

    /// Is told of every event. Default: nobody.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observer = Box::new(observer);
        self
    }

    /// Seeds the jitter of the intervals. Default: a seed of its own for each process.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Checks the configuration; nothing runs before [`HealthRegistry::start`].
    ///
    /// # Errors
    /// [`ConfigError`] names the field and the value: a setting of a dependency out of its range,
    /// two dependencies of one name, a degraded status other than 200 to 299 or 503, a liveness
    /// limit below a second, an admin token shorter than 16 bytes.
    pub fn build(self) -> Result<HealthRegistry, ConfigError> {
        self.validate()?;
        let access = Access::from_environment(&self.environment)?;
        let variable = |name| self.environment.get(name).map(str::to_owned);
        let identity = Identity {
            service: self.service,
            version: self.version,
            pod_name: variable("POD_NAME"),
            node_name: variable("NODE_NAME"),
        };
        let recorder = self.recorder.as_deref().unwrap_or(metric::disabled());
        let slot = |dependency| Arc::new(Slot::new(dependency, self.clock.clone(), recorder));
        let slots = self.dependencies.into_iter().map(slot).collect();
        Ok(HealthRegistry(Arc::new(Inner {
            identity,
            access,
            degraded_status: self.degraded_status,
            controls: self.controls,
            slots,
            watched: self.watched,
            heartbeat: Heartbeat::new(self.clock, HEARTBEAT_INTERVAL),
            liveness_time_limit: self.liveness_time_limit,
            is_draining: AtomicBool::new(false),
            observer: self.observer,
            seed: self.seed.unwrap_or_else(random_seed),
        })))
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let mut names = std::collections::BTreeSet::new();
        for dependency in &self.dependencies {
            dependency.validate()?;
            if !names.insert(&dependency.name) {
                return Err(ConfigError::new("name", &dependency.name, "must be unique"));
            }
        }
        let status = self.degraded_status;
        if !status.is_success() && status != StatusCode::SERVICE_UNAVAILABLE {
            let rule = "must be between 200 and 299, or 503";
            return Err(ConfigError::new("degraded_status", status.as_u16(), rule));
        }
        if self.liveness_time_limit < Duration::from_secs(1) {
            let value = format!("{:?}", self.liveness_time_limit);
            return Err(ConfigError::new("liveness_time_limit", value, "must be at least 1s"));
        }
        Ok(())
    }
}

impl std::fmt::Debug for HealthBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HealthBuilder")
            .field("service", &self.service)
            .field("dependencies", &self.dependencies)
            .finish_non_exhaustive()
    }
}

/// A number that differs between processes, from the keys of the standard library's hash maps.
fn random_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}
