use std::fmt;
use std::time::Duration;

use super::LeaseConfig;
use crate::quota::{BucketPlan, SharedPlan};

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
///
/// let hourly = Quota::fixed_window(1_000, Duration::from_secs(3_600));
/// let bound = Bound::of(hourly, &LeaseConfig::new())?;
/// assert_eq!(bound.excess_in(Duration::from_secs(60)), 0);
/// assert_eq!(
///     bound.to_string(),
///     "in any one window at most 1000 requests are admitted by the fleet",
/// );
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    plan: SharedPlan,
    max_age: Duration,
    nodes: u64,
    silent: Option<BucketPlan>,
}

impl Bound {
    /// The bound of this quota under this configuration.
    ///
    /// # Errors
    /// [`ConfigError`](obs_core::config::ConfigError) if either cannot be used, or if the quota is
    /// one of concurrency, of which never more than its limit run while the store answers.
    pub fn of(
        quota: crate::Quota,
        config: &LeaseConfig,
    ) -> Result<Self, obs_core::config::ConfigError> {
        config.check()?;
        Ok(Self::new(SharedPlan::new(quota)?, config))
    }

    pub(crate) fn new(plan: SharedPlan, config: &LeaseConfig) -> Self {
        let silent = silent_plan(&plan, config);
        Self { plan, max_age: config.max_age, nodes: config.max_nodes.into(), silent }
    }

    /// The most that the fleet admits in any span of `window` while the store answers.
    ///
    /// A token of a bucket is spent at most `max_age` after it was taken, so what is spent in a
    /// window was taken in that window and the `max_age` before it. To that comes what the nodes
    /// use without telling. A token of a window is spent in that window or never, and counts from
    /// when it was taken: leases add nothing.
    #[must_use]
    pub fn most_in(&self, window: Duration) -> u64 {
        let age = if self.plan.is_window() { Duration::ZERO } else { self.max_age };
        let leased = self.plan.most_in(window.saturating_add(age));
        let silent = self.silent.map_or(0, |plan| plan.most_in(window));
        leased.saturating_add(silent.saturating_mul(self.nodes))
    }

    /// By how much that is more than one counter admits in the same time.
    #[must_use]
    pub fn excess_in(&self, window: Duration) -> u64 {
        self.most_in(window) - self.plan.most_in(window)
    }
}

/// What one node may use without telling the store; `None` if that is less than a token, and for a
/// window: what is used of it untold can never be made up for.
pub(crate) fn silent_plan(plan: &SharedPlan, config: &LeaseConfig) -> Option<BucketPlan> {
    if plan.is_window() {
        return None;
    }
    plan.share(config.silent_fraction / f64::from(config.max_nodes), 0)
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.plan {
            SharedPlan::Window(plan) => {
                write!(f, "in any one window at most {}", plan.limit)?;
            }
            SharedPlan::Bucket(plan) => {
                let (burst, age) = (plan.burst, self.max_age.as_secs_f64());
                let rate = rate(plan, 1);
                write!(f, "in any span W of seconds at most {burst} + {rate} * (W + {age})")?;
            }
        }
        if let Some(silent) = &self.silent {
            write!(f, " + {} + {} * W", silent.burst * self.nodes, rate(silent, self.nodes))?;
        }
        f.write_str(" requests are admitted by the fleet")
    }
}

/// Tokens per second of so many nodes.
#[allow(clippy::cast_precision_loss, reason = "a figure to read")]
fn rate(plan: &BucketPlan, nodes: u64) -> f64 {
    plan.limit as f64 / Duration::from_nanos(plan.period).as_secs_f64() * nodes as f64
}
