use std::fmt;
use std::time::Duration;

use super::LeaseConfig;
use crate::quota::{BucketPlan, MAX_PERIOD};

/// What a leased limit admits at most, in numbers.
///
/// ```
/// use std::time::Duration;
/// use obs_ratelimit::{Bound, LeaseConfig, Quota};
///
/// let bound = Bound::of(Quota::per_second(1_000), &LeaseConfig::new().silent_fraction(0.0))?;
/// assert_eq!(bound.most_in(Duration::from_secs(1)), 3_000);
/// assert_eq!(
///     bound.to_string(),
///     "in any span W of seconds at most 1000 + 1000 * (W + 1) requests are admitted by the fleet",
/// );
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    plan: BucketPlan,
    max_age: Duration,
    nodes: u64,
    silent: Option<BucketPlan>,
}

impl Bound {
    /// The bound of this quota under this configuration.
    ///
    /// # Errors
    /// [`ConfigError`](obs_core::config::ConfigError) if either cannot be used.
    pub fn of(
        quota: crate::Quota,
        config: &LeaseConfig,
    ) -> Result<Self, obs_core::config::ConfigError> {
        config.check()?;
        Ok(Self::new(crate::store::SharedBucket::new(quota)?.plan, config))
    }

    pub(crate) fn new(plan: BucketPlan, config: &LeaseConfig) -> Self {
        let silent = silent_plan(&plan, config);
        Self { plan, max_age: config.max_age, nodes: config.max_nodes.into(), silent }
    }

    /// The most that the fleet admits in any span of `window` while the store answers.
    ///
    /// A token is spent at most `max_age` after it was taken from the one bucket, so what is spent
    /// in a window was taken in that window and the `max_age` before it. To that comes what the
    /// nodes use without telling.
    #[must_use]
    pub fn most_in(&self, window: Duration) -> u64 {
        let leased = self.plan.most_in(window.saturating_add(self.max_age));
        let silent = self.silent.map_or(0, |plan| plan.most_in(window));
        leased.saturating_add(silent.saturating_mul(self.nodes))
    }

    /// By how much that is more than one bucket admits in the same time.
    #[must_use]
    pub fn excess_in(&self, window: Duration) -> u64 {
        self.most_in(window) - self.plan.most_in(window)
    }
}

/// What one node may use without telling the store; `None` if that is less than a token.
pub(crate) fn silent_plan(plan: &BucketPlan, config: &LeaseConfig) -> Option<BucketPlan> {
    let part = config.silent_fraction / f64::from(config.max_nodes);
    share(plan, part, 0)
}

/// A part of a plan, its burst rounded down and at least `least`; `None` for a burst of 0.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share is an estimate, rounded down"
)]
pub(crate) fn share(plan: &BucketPlan, part: f64, least: u64) -> Option<BucketPlan> {
    let burst = ((plan.burst as f64 * part) as u64).max(least);
    // The rate is a part of a limit that may be 1: the period is stretched instead.
    let longest = MAX_PERIOD.as_nanos() as f64;
    let period = (plan.period as f64 / part).min(longest);
    if burst == 0 || !period.is_finite() {
        return None;
    }
    let period = Duration::from_nanos(period.ceil() as u64);
    BucketPlan::new(plan.limit, period, burst).ok()
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = Duration::from_nanos(self.plan.period).as_secs_f64();
        #[allow(clippy::cast_precision_loss, reason = "a figure to read")]
        let rate = self.plan.limit as f64 / seconds;
        let (burst, age) = (self.plan.burst, self.max_age.as_secs_f64());
        write!(f, "in any span W of seconds at most {burst} + {rate} * (W + {age})")?;
        if let Some(silent) = &self.silent {
            let seconds = Duration::from_nanos(silent.period).as_secs_f64();
            #[allow(clippy::cast_precision_loss, reason = "a figure to read")]
            let rate = silent.limit as f64 / seconds * self.nodes as f64;
            write!(f, " + {} + {rate} * W", silent.burst * self.nodes)?;
        }
        f.write_str(" requests are admitted by the fleet")
    }
}
