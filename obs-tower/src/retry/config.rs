use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use obs_core::config::ConfigError;

use super::budget;

/// How often, how fast and how much in all.
///
/// Names follow resilience4j. Its defaults, too, except for what its users ask for: the wait grows
/// and has full jitter, and there is a budget.
///
/// ```
/// use std::time::Duration;
///
/// use obs_tower::retry::{Backoff, Jitter, RetryConfig};
///
/// let config = RetryConfig::new()
///     .max_attempts(4)
///     .backoff(Backoff::exponential(Duration::from_millis(50), Duration::from_secs(2)))
///     .jitter(Jitter::Full)
///     .minimum_useful_time(Duration::from_millis(20))
///     .max_replay_bytes(64 * 1024)
///     .budget(0.1, 10)
///     .shadow(false);
/// assert!(config.validate().is_ok());
/// assert!(RetryConfig::new().max_attempts(0).validate().is_err());
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RetryConfig {
    pub(super) max_attempts: u32,
    pub(super) backoff: Backoff,
    pub(super) jitter: Jitter,
    pub(super) minimum_useful_time: Duration,
    pub(super) max_replay_bytes: usize,
    pub(super) budget_ratio: f64,
    pub(super) budget_reserve: u32,
    pub(super) shadow: bool,
}

/// The wait before a retry, before jitter.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use obs_tower::retry::{Backoff, RetryConfig};
///
/// let (first, most) = (Duration::from_millis(50), Duration::from_secs(2));
/// for backoff in [
///     Backoff::Fixed(first),
///     Backoff::Linear { step: first, max: most },
///     Backoff::exponential(first, most),
///     Backoff::Custom(Arc::new(|attempt| Duration::from_millis(u64::from(attempt) * 10))),
/// ] {
///     assert!(RetryConfig::new().backoff(backoff).validate().is_ok());
/// }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum Backoff {
    /// Always the same.
    Fixed(Duration),
    /// `step`, twice, three times, … at most `max`.
    Linear {
        /// The first wait, and by how much each further one is longer.
        step: Duration,
        /// The longest wait.
        max: Duration,
    },
    /// `initial * multiplier^n` before the retry after `n` others, at most `max`.
    Exponential {
        /// The first wait.
        initial: Duration,
        /// The factor, 1 to 10.
        multiplier: f64,
        /// The longest wait.
        max: Duration,
    },
    /// Whatever the function says for the retry of this number, 1 for the first.
    Custom(Arc<dyn Fn(u32) -> Duration + Send + Sync>),
}

/// How waits are spread, so that those who failed together do not come back together.
///
/// ```
/// use obs_tower::retry::{Jitter, RetryConfig};
///
/// // For a test whose times are exact.
/// assert!(RetryConfig::new().jitter(Jitter::None).validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Jitter {
    /// Anything from nothing to the whole wait. See
    /// [Exponential Backoff And Jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
    #[default]
    Full,
    /// The wait, give or take a tenth.
    TenPercent,
    /// The wait exactly.
    None,
}

impl Backoff {
    /// A wait that doubles.
    #[must_use]
    pub const fn exponential(initial: Duration, max: Duration) -> Self {
        Self::Exponential { initial, multiplier: 2.0, max }
    }

    /// The longest wait; also the most that a server's `Retry-After` can ask for.
    pub(super) fn longest(&self) -> Duration {
        match self {
            Self::Fixed(wait) => *wait,
            Self::Linear { max, .. } | Self::Exponential { max, .. } => *max,
            Self::Custom(_) => LONGEST,
        }
    }

    /// The wait before retry number `retry`, 1 for the first; `random` is in `0..1`.
    pub(super) fn wait(&self, retry: u32, jitter: Jitter, random: f64) -> Duration {
        let retry = retry.max(1);
        let (wait, max) = match self {
            Self::Fixed(wait) => (wait.as_secs_f64(), *wait),
            Self::Linear { step, max } => (step.as_secs_f64() * f64::from(retry), *max),
            Self::Exponential { initial, multiplier, max } => {
                let exponent = i32::try_from(retry - 1).unwrap_or(i32::MAX);
                (initial.as_secs_f64() * multiplier.powi(exponent), *max)
            }
            Self::Custom(wait) => (wait(retry).as_secs_f64(), LONGEST),
        };
        let factor = match jitter {
            Jitter::Full => random,
            Jitter::TenPercent => 0.9 + 0.2 * random,
            Jitter::None => 1.0,
        };
        let wait = (wait.min(max.as_secs_f64()) * factor).min(max.as_secs_f64());
        Duration::try_from_secs_f64(wait).unwrap_or(max).min(max)
    }
}

impl fmt::Debug for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(wait) => write!(f, "Fixed({wait:?})"),
            Self::Linear { step, max } => write!(f, "Linear({step:?}, at most {max:?})"),
            Self::Exponential { initial, multiplier, max } => {
                write!(f, "Exponential({initial:?} x {multiplier}, at most {max:?})")
            }
            Self::Custom(_) => f.write_str("Custom"),
        }
    }
}

const LONGEST: Duration = Duration::from_secs(3_600);

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            backoff: Backoff::exponential(Duration::from_millis(500), Duration::from_secs(20)),
            jitter: Jitter::Full,
            minimum_useful_time: Duration::from_millis(10),
            max_replay_bytes: 64 * 1024,
            budget_ratio: 0.2,
            budget_reserve: 10,
            shadow: false,
        }
    }
}

impl RetryConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Attempts in all, the first included. Default 3, 1 to 100.
    pub fn max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// The wait before a retry. Default: 500 ms, doubling, at most 20 s. No wait is above 1 h.
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// How waits are spread. Default: fully.
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// An attempt is not made if less than its wait and this would be left before the deadline.
    /// Default 10 ms.
    pub fn minimum_useful_time(mut self, time: Duration) -> Self {
        self.minimum_useful_time = time;
        self
    }

    /// How much of a request's body is kept for a retry. Default 64 KiB. A longer body is sent
    /// all the same, once.
    pub fn max_replay_bytes(mut self, bytes: usize) -> Self {
        self.max_replay_bytes = bytes;
        self
    }

    /// Retries per call, and the reserve. Default 0.2 and 10; see
    /// [`RetryBudget::new`](super::RetryBudget::new).
    pub fn budget(mut self, ratio: f64, reserve: u32) -> Self {
        (self.budget_ratio, self.budget_reserve) = (ratio, reserve);
        self
    }

    /// Counts retries that it would make, and makes none. Default false.
    pub fn shadow(mut self, shadow: bool) -> Self {
        self.shadow = shadow;
        self
    }

    /// Checks every rule.
    ///
    /// # Errors
    /// [`ConfigError`] for the first value that breaks one.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !(1..=100).contains(&self.max_attempts) {
            let rule = "must be between 1 and 100";
            return Err(ConfigError::new("max_attempts", self.max_attempts, rule));
        }
        budget::check(self.budget_ratio, self.budget_reserve)?;
        let longest = self.backoff.longest();
        if longest > LONGEST {
            return Err(ConfigError::new("backoff", format!("{longest:?}"), "must be at most 1h"));
        }
        match self.backoff {
            Backoff::Exponential { multiplier, .. } if !(1.0..=10.0).contains(&multiplier) => {
                let rule = "must be between 1 and 10";
                Err(ConfigError::new("backoff.multiplier", multiplier, rule))
            }
            _ => Ok(()),
        }
    }
}
