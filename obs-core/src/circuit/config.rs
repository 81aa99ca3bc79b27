use std::time::Duration;

use super::SlidingWindow;
use crate::config::ConfigError;

/// When a breaker opens, how long it stays open and how it probes.
///
/// Names and defaults are resilience4j's, except that half-open has a time limit.
///
/// ```
/// use std::time::Duration;
/// use obs_core::circuit::{CircuitBreakerConfig, SlidingWindow};
///
/// let config = CircuitBreakerConfig::new()
///     .sliding_window(SlidingWindow::Time(Duration::from_secs(30)))
///     .minimum_number_of_calls(20)
///     .failure_rate_threshold(50.0)
///     .slow_call_duration_threshold(Duration::from_secs(2));
/// assert!(config.validate().is_ok());
///
/// let error = config.failure_rate_threshold(0.0).validate().unwrap_err();
/// assert_eq!(error.field(), "failure_rate_threshold");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct CircuitBreakerConfig {
    pub(super) sliding_window: SlidingWindow,
    pub(super) minimum_number_of_calls: Option<u32>,
    pub(super) failure_rate_threshold: Option<f64>,
    pub(super) slow_call_rate_threshold: Option<f64>,
    pub(super) slow_call_duration_threshold: Option<Duration>,
    pub(super) consecutive_failures_threshold: Option<u32>,
    pub(super) open_wait: OpenWait,
    pub(super) permitted_calls_in_half_open: u32,
    pub(super) half_open_rule: HalfOpenRule,
    pub(super) max_wait_in_half_open: Duration,
    pub(super) shadow: bool,
}

/// How half-open ends.
///
/// ```
/// use obs_core::circuit::{CircuitBreakerConfig, HalfOpenRule};
///
/// // A service that is hurt by every call it cannot serve: one failed probe is enough.
/// let config = CircuitBreakerConfig::new().half_open_rule(HalfOpenRule::FirstFailure);
/// assert!(config.validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum HalfOpenRule {
    /// When all permitted probes have ended, by the same rates as when closed.
    #[default]
    Rate,
    /// The first failed or slow probe opens; when all have succeeded, it closes.
    FirstFailure,
}

/// How long a breaker stays open: `initial * multiplier^n` after `n` openings in a row, at most
/// `max`, spread by `jitter`.
///
/// The default is 60 s without growth or jitter, as in resilience4j.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::circuit::{CircuitBreakerConfig, OpenWait};
///
/// let (first, longest) = (Duration::from_secs(5), Duration::from_secs(120));
/// let wait = OpenWait::exponential(first, longest);
/// assert_eq!((wait.initial, wait.max), (first, longest));
/// assert_eq!(OpenWait::fixed(first).max, first);
/// assert!(CircuitBreakerConfig::new().open_wait(wait).validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OpenWait {
    /// The wait of the first opening, 1 ms to 24 h.
    pub initial: Duration,
    /// The factor for each further opening without a recovery between, 1 to 10.
    pub multiplier: f64,
    /// The longest wait, at least `initial`.
    pub max: Duration,
    /// The part of the wait, 0 to 1, by which it is at random longer or shorter.
    pub jitter: f64,
}

impl OpenWait {
    /// The same wait each time.
    #[must_use]
    pub const fn fixed(wait: Duration) -> Self {
        Self { initial: wait, multiplier: 1.0, max: wait, jitter: 0.0 }
    }

    /// A wait that doubles with each opening up to `max`, give or take a tenth.
    #[must_use]
    pub const fn exponential(initial: Duration, max: Duration) -> Self {
        Self { initial, multiplier: 2.0, max, jitter: 0.1 }
    }

    /// The wait of the opening after `previous` others in a row; `random` is in `0..1`.
    pub(super) fn wait(&self, previous: u32, random: f64) -> Duration {
        let exponent = i32::try_from(previous).unwrap_or(i32::MAX);
        let max = self.max.as_secs_f64();
        let wait = (self.initial.as_secs_f64() * self.multiplier.powi(exponent)).min(max);
        let spread = 1.0 + self.jitter * (2.0 * random - 1.0);
        Duration::try_from_secs_f64((wait * spread).min(max)).unwrap_or(self.max)
    }
}

impl Default for CircuitBreakerConfig {
    fn default() -> Self {
        Self {
            sliding_window: SlidingWindow::Count(100),
            minimum_number_of_calls: None,
            failure_rate_threshold: Some(50.0),
            slow_call_rate_threshold: Some(100.0),
            slow_call_duration_threshold: Some(Duration::from_secs(60)),
            consecutive_failures_threshold: None,
            open_wait: OpenWait::fixed(Duration::from_secs(60)),
            permitted_calls_in_half_open: 10,
            half_open_rule: HalfOpenRule::Rate,
            max_wait_in_half_open: Duration::from_secs(60),
            shadow: false,
        }
    }
}

impl CircuitBreakerConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Which calls count. Default: the newest 100. Fixed once the breaker is built.
    pub fn sliding_window(mut self, window: SlidingWindow) -> Self {
        self.sliding_window = window;
        self
    }

    /// Calls that the window must hold before a rate is looked at, at least 1.
    ///
    /// Default 100, or the size of a smaller count window. Above the size is an error.
    pub fn minimum_number_of_calls(mut self, calls: u32) -> Self {
        self.minimum_number_of_calls = Some(calls);
        self
    }

    /// Opens when at least this percentage of calls failed, above 0 to 100. Default 50.
    pub fn failure_rate_threshold(mut self, percent: f64) -> Self {
        self.failure_rate_threshold = Some(percent);
        self
    }

    /// Opens on consecutive failures or slow calls only.
    pub fn without_failure_rate(mut self) -> Self {
        self.failure_rate_threshold = None;
        self
    }

    /// Opens when at least this percentage of calls was slow, failed or not, above 0 to 100.
    ///
    /// Default 100. Calls in flight for longer than the slow threshold count as slow calls, so a
    /// backend that never answers opens the breaker with the first call after that.
    pub fn slow_call_rate_threshold(mut self, percent: f64) -> Self {
        self.slow_call_rate_threshold = Some(percent);
        self
    }

    /// A call that takes this long or longer is slow. Default 60 s, at least 1 ms.
    ///
    /// Durations are measured with the coarse clock, so to a few milliseconds.
    pub fn slow_call_duration_threshold(mut self, threshold: Duration) -> Self {
        self.slow_call_duration_threshold = Some(threshold);
        self
    }

    /// No call is slow; durations are not measured.
    pub fn without_slow_calls(mut self) -> Self {
        self.slow_call_duration_threshold = None;
        self
    }

    /// Opens after this many failures without a success between, at least 1. Off by default.
    pub fn consecutive_failures_threshold(mut self, failures: u32) -> Self {
        self.consecutive_failures_threshold = Some(failures);
        self
    }

    /// How long it stays open. Default: always 60 s.
    pub fn open_wait(mut self, wait: OpenWait) -> Self {
        self.open_wait = wait;
        self
    }

    /// Stays open this long, each time. Default 60 s.
    pub fn wait_duration_in_open_state(self, wait: Duration) -> Self {
        self.open_wait(OpenWait::fixed(wait))
    }

    /// Probes of one half-open cycle, 1 to 255. Default 10.
    pub fn permitted_calls_in_half_open(mut self, calls: u32) -> Self {
        self.permitted_calls_in_half_open = calls;
        self
    }

    /// How half-open ends. Default: by rate.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use obs_core::circuit::{CircuitBreakerConfig, HalfOpenRule, OpenWait};
    ///
    /// let config = CircuitBreakerConfig::new()
    ///     .open_wait(OpenWait::fixed(Duration::from_secs(30)))
    ///     .half_open_rule(HalfOpenRule::FirstFailure);
    /// assert!(config.validate().is_ok());
    /// ```
    pub fn half_open_rule(mut self, rule: HalfOpenRule) -> Self {
        self.half_open_rule = rule;
        self
    }

    /// A probe that has not ended after this time has failed. Default 60 s, 1 ms to 24 h.
    pub fn max_wait_in_half_open(mut self, wait: Duration) -> Self {
        self.max_wait_in_half_open = wait;
        self
    }

    /// Decides and records, but admits every call. Default false.
    pub fn shadow(mut self, shadow: bool) -> Self {
        self.shadow = shadow;
        self
    }

    pub(super) fn minimum_calls(&self) -> u32 {
        self.minimum_number_of_calls.unwrap_or(match self.sliding_window {
            SlidingWindow::Count(size) => size.min(100),
            SlidingWindow::Time(_) => 100,
        })
    }

    /// Checks every rule.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use obs_core::circuit::CircuitBreakerConfig;
    ///
    /// let config = CircuitBreakerConfig::new()
    ///     .slow_call_rate_threshold(80.0)
    ///     .slow_call_duration_threshold(Duration::from_secs(2))
    ///     .consecutive_failures_threshold(10)
    ///     .wait_duration_in_open_state(Duration::from_secs(30))
    ///     .permitted_calls_in_half_open(5)
    ///     .max_wait_in_half_open(Duration::from_secs(60))
    ///     .shadow(false);
    /// assert!(config.validate().is_ok());
    ///
    /// // Judged by failures in a row alone.
    /// let config = CircuitBreakerConfig::new()
    ///     .without_failure_rate()
    ///     .without_slow_calls()
    ///     .consecutive_failures_threshold(5);
    /// assert!(config.validate().is_ok());
    /// assert!(CircuitBreakerConfig::new().minimum_number_of_calls(0).validate().is_err());
    /// ```
    ///
    /// # Errors
    /// [`ConfigError`] for the first value that breaks one.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let minimum = self.minimum_calls();
        match self.sliding_window {
            SlidingWindow::Count(size) => {
                check_number("sliding_window_size", size, 1, (1 << 20) - 1)?;
                if minimum > size {
                    return Err(ConfigError::new(
                        "minimum_number_of_calls",
                        minimum,
                        format!("must not be above the window's size, {size}"),
                    ));
                }
            }
            SlidingWindow::Time(length) => {
                let least = Duration::from_millis(10);
                check_duration("sliding_window_length", length, least, DAY)?;
            }
        }
        check_number("minimum_number_of_calls", minimum, 1, u32::MAX)?;
        check_percent("failure_rate_threshold", self.failure_rate_threshold)?;
        check_percent("slow_call_rate_threshold", self.slow_call_rate_threshold)?;
        if let Some(threshold) = self.slow_call_duration_threshold {
            check_duration("slow_call_duration_threshold", threshold, MILLISECOND, DAY)?;
        }
        if let Some(failures) = self.consecutive_failures_threshold {
            check_number("consecutive_failures_threshold", failures, 1, u32::MAX)?;
        }
        check_number("permitted_calls_in_half_open", self.permitted_calls_in_half_open, 1, 255)?;
        check_duration("max_wait_in_half_open", self.max_wait_in_half_open, MILLISECOND, DAY)?;
        check_open_wait(&self.open_wait)
    }
}

const MILLISECOND: Duration = Duration::from_millis(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn check_number(field: &'static str, value: u32, min: u32, max: u32) -> Result<(), ConfigError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(ConfigError::new(field, value, format!("must be between {min} and {max}")))
}

fn check_percent(field: &'static str, percent: Option<f64>) -> Result<(), ConfigError> {
    match percent {
        Some(percent) if !(percent > 0.0 && percent <= 100.0) => {
            Err(ConfigError::new(field, percent, "must be above 0 and at most 100"))
        }
        _ => Ok(()),
    }
}

fn check_duration(
    field: &'static str,
    value: Duration,
    min: Duration,
    max: Duration,
) -> Result<(), ConfigError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    let rule = format!("must be between {min:?} and {max:?}");
    Err(ConfigError::new(field, format!("{value:?}"), rule))
}

fn check_open_wait(wait: &OpenWait) -> Result<(), ConfigError> {
    check_duration("open_wait.initial", wait.initial, MILLISECOND, DAY)?;
    check_duration("open_wait.max", wait.max, wait.initial, DAY)?;
    if !(1.0..=10.0).contains(&wait.multiplier) {
        let rule = "must be between 1 and 10";
        return Err(ConfigError::new("open_wait.multiplier", wait.multiplier, rule));
    }
    if !(0.0..=1.0).contains(&wait.jitter) {
        return Err(ConfigError::new("open_wait.jitter", wait.jitter, "must be between 0 and 1"));
    }
    Ok(())
}
