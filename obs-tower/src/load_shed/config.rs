use std::time::Duration;

use obs_core::config::ConfigError;

/// How the limit moves, and within what bounds.
///
/// ```
/// use std::time::Duration;
///
/// use obs_tower::load_shed::LoadShedConfig;
///
/// let config = LoadShedConfig::new()
///     .initial_limit(50)
///     .min_limit(10)
///     .max_limit(500)
///     .window(Duration::from_secs(1))
///     .tolerance(2.0)
///     .probe_windows(10)
///     .shadow(false);
/// assert!(config.validate().is_ok());
/// assert!(LoadShedConfig::new().min_limit(0).validate().is_err());
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct LoadShedConfig {
    pub(super) initial_limit: u32,
    pub(super) min_limit: u32,
    pub(super) max_limit: u32,
    pub(super) window: Duration,
    pub(super) tolerance: f64,
    pub(super) probe_windows: u32,
    pub(super) shadow: bool,
}

impl Default for LoadShedConfig {
    fn default() -> Self {
        Self {
            initial_limit: 20,
            min_limit: 4,
            max_limit: 1_000,
            window: Duration::from_secs(1),
            tolerance: 1.1,
            probe_windows: 60,
            shadow: false,
        }
    }
}

impl LoadShedConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The limit to begin with. Default 20, as in Netflix's library.
    pub fn initial_limit(mut self, calls: u32) -> Self {
        self.initial_limit = calls;
        self
    }

    /// The limit never falls below this. Default 4, at least 1: what lets nothing in learns nothing.
    pub fn min_limit(mut self, calls: u32) -> Self {
        self.min_limit = calls;
        self
    }

    /// The limit never rises above this. Default 1,000, at most 1,000,000.
    pub fn max_limit(mut self, calls: u32) -> Self {
        self.max_limit = calls;
        self
    }

    /// The time between changes of the limit. Default 1 s, 10 ms to 1 h.
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// How much longer than the baseline calls may take before the limit falls. Default 1.1, 1 to 4.
    pub fn tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// After so many windows at the limit the baseline is measured anew. Default 60, at least 5.
    pub fn probe_windows(mut self, windows: u32) -> Self {
        self.probe_windows = windows;
        self
    }

    /// Counts calls that it would shed, and lets them in. Default false.
    pub fn shadow(mut self, shadow: bool) -> Self {
        self.shadow = shadow;
        self
    }

    /// Checks every rule.
    ///
    /// # Errors
    /// [`ConfigError`] for the first value that breaks one.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let number = |field: &'static str, value: u32, min: u32, max: u32| {
            let rule = || format!("must be between {min} and {max}");
            let fits = (min..=max).contains(&value);
            if fits { Ok(()) } else { Err(ConfigError::new(field, value, rule())) }
        };
        number("max_limit", self.max_limit, 1, 1_000_000)?;
        number("min_limit", self.min_limit, 1, self.max_limit)?;
        number("initial_limit", self.initial_limit, self.min_limit, self.max_limit)?;
        number("probe_windows", self.probe_windows, 5, 1_000_000)?;
        if !(1.0..=4.0).contains(&self.tolerance) {
            return Err(ConfigError::new("tolerance", self.tolerance, "must be between 1 and 4"));
        }
        let windows = Duration::from_millis(10)..=Duration::from_secs(3_600);
        if !windows.contains(&self.window) {
            let window = format!("{:?}", self.window);
            return Err(ConfigError::new("window", window, "must be between 10ms and 1h"));
        }
        Ok(())
    }
}
