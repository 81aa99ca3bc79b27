use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use obs_core::config::ConfigError;

use crate::check::Check;

/// Something the service depends on: a check, how often to run it, and what its answers mean.
///
/// ```
/// use std::time::Duration;
/// use obs_health::Dependency;
/// use obs_health::check::TcpCheck;
///
/// let queue = Dependency::required("queue", TcpCheck::new("127.0.0.1:5672"))
///     .interval(Duration::from_secs(5))
///     .failure_threshold(2);
/// # let _ = queue;
/// ```
#[derive(Clone)]
pub struct Dependency {
    pub(super) name: Arc<str>,
    pub(super) check: Arc<dyn Check>,
    pub(super) is_required: bool,
    pub(super) settings: Settings,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) failure_threshold: u32,
    pub(super) success_threshold: u32,
    pub(super) startup_grace: Duration,
    pub(super) wait_in_open: Duration,
    pub(super) max_wait_in_open: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(2),
            failure_threshold: 3,
            success_threshold: 1,
            startup_grace: Duration::from_secs(30),
            wait_in_open: Duration::from_secs(10),
            max_wait_in_open: Duration::from_secs(300),
        }
    }
}

impl Dependency {
    /// A dependency without which the service is not ready: down means 503.
    pub fn required(name: impl Into<Arc<str>>, check: impl Check) -> Self {
        Self::new(name.into(), check, true)
    }

    /// A dependency without which the service is degraded: down means `warn`, by default 200.
    pub fn optional(name: impl Into<Arc<str>>, check: impl Check) -> Self {
        Self::new(name.into(), check, false)
    }

    fn new(name: Arc<str>, check: impl Check, is_required: bool) -> Self {
        Self { name, check: Arc::new(check), is_required, settings: Settings::default() }
    }

    /// Time between runs, jittered by ±10 % so that a fleet does not ask in step.
    ///
    /// Default 10 s, the `periodSeconds` of a Kubernetes probe.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.settings.interval = interval;
        self
    }

    /// Time limit of one run, after which it counts as failed. Default 2 s; at most the interval.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// Failed runs in a row after which the dependency is down. Default 3, as in Kubernetes.
    #[must_use]
    pub fn failure_threshold(mut self, runs: u32) -> Self {
        self.settings.failure_threshold = runs;
        self
    }

    /// Passed runs in a row after which it is up again. Default 1, as in Kubernetes.
    #[must_use]
    pub fn success_threshold(mut self, runs: u32) -> Self {
        self.settings.success_threshold = runs;
        self
    }

    /// Time from the start within which a dependency that was never up reads as starting instead of
    /// down. Default 30 s.
    #[must_use]
    pub fn startup_grace(mut self, grace: Duration) -> Self {
        self.settings.startup_grace = grace;
        self
    }

    /// How long a dependency that went down is left alone before it is asked again. Default 10 s.
    ///
    /// Doubled, up to `max`, each time it goes down again before it has been up for `max`, so that
    /// a dependency that flaps changes state a bounded number of times. Default of `max` 5 min.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use obs_health::Dependency;
    ///
    /// let cache = Dependency::optional("cache", async || Ok::<(), std::io::Error>(()))
    ///     .timeout(Duration::from_millis(500))
    ///     .failure_threshold(3)
    ///     .success_threshold(2)
    ///     .startup_grace(Duration::from_secs(30))
    ///     .wait_duration_in_open_state(Duration::from_secs(5), Duration::from_secs(60));
    /// # let _ = cache;
    /// ```
    #[must_use]
    pub fn wait_duration_in_open_state(mut self, wait: Duration, max: Duration) -> Self {
        self.settings.wait_in_open = wait;
        self.settings.max_wait_in_open = max;
        self
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let settings = &self.settings;
        let field = |field| format!("{}.{field}", self.name);
        let positive = [
            ("interval", settings.interval),
            ("timeout", settings.timeout),
            ("wait_duration_in_open_state", settings.wait_in_open),
        ];
        if self.name.is_empty() || self.name.len() > 128 || self.name.contains(char::is_control) {
            let rule = "must be 1 to 128 bytes without control characters";
            return Err(ConfigError::new("name", &self.name, rule));
        }
        for (name, value) in positive {
            if value.is_zero() {
                return Err(ConfigError::new(field(name), "0s", "must be longer than zero"));
            }
        }
        if settings.timeout > settings.interval {
            let value = format!("{:?}", settings.timeout);
            return Err(ConfigError::new(field("timeout"), value, "must not exceed the interval"));
        }
        for (name, value) in [
            ("failure_threshold", settings.failure_threshold),
            ("success_threshold", settings.success_threshold),
        ] {
            if value == 0 {
                return Err(ConfigError::new(field(name), 0, "must be at least 1"));
            }
        }
        if settings.max_wait_in_open < settings.wait_in_open {
            let value = format!("{:?}", settings.max_wait_in_open);
            let rule = "must not be below wait_duration_in_open_state";
            return Err(ConfigError::new(field("max_wait_duration_in_open_state"), value, rule));
        }
        Ok(())
    }
}

impl fmt::Debug for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dependency")
            .field("name", &self.name)
            .field("is_required", &self.is_required)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
