use std::time::Duration;

use obs_core::config::ConfigError;

use super::{BucketPlan, CalendarUnit, MAX_PERIOD, Plan, Quota, WindowPlan, WindowSpan};

/// A quota that a store counts by tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SharedPlan {
    Bucket(BucketPlan),
    Window(WindowPlan),
}

/// The longest month.
const MONTH: u64 = 31 * 86_400_000_000_000;
const DAY: u64 = 86_400_000_000_000;

impl SharedPlan {
    pub(crate) fn new(quota: Quota) -> Result<Self, ConfigError> {
        match quota.plan()? {
            Plan::Bucket(plan) => Ok(Self::Bucket(plan)),
            Plan::Window(plan) => Ok(Self::Window(plan)),
            Plan::Concurrency(_) => {
                let rule = "must count requests, not those that run at the same time";
                Err(ConfigError::new("quota", format_args!("{quota:?}"), rule))
            }
        }
    }

    /// The most that can be used at once.
    pub(crate) const fn capacity(&self) -> u64 {
        match self {
            Self::Bucket(plan) => plan.burst,
            Self::Window(plan) => plan.limit,
        }
    }

    /// The most that one counter of this quota admits in any span of `window`.
    pub(crate) fn most_in(&self, window: Duration) -> u64 {
        match self {
            Self::Bucket(plan) => plan.most_in(window),
            Self::Window(plan) => plan.most_in(window),
        }
    }

    /// The time in which a bucket gains a token; 0 for a window, which gains all at its end.
    pub(crate) const fn step(&self) -> u64 {
        match self {
            Self::Bucket(plan) => {
                let step = plan.period / plan.limit;
                if step == 0 { 1 } else { step }
            }
            Self::Window(_) => 0,
        }
    }

    /// Tokens per nanosecond in the long run.
    #[allow(clippy::cast_precision_loss, reason = "a rate to estimate by")]
    pub(crate) fn rate_per_nano(&self) -> f64 {
        match self {
            Self::Bucket(plan) => plan.limit as f64 / plan.period as f64,
            Self::Window(plan) => plan.limit as f64 / length(plan) as f64,
        }
    }

    pub(crate) const fn is_window(&self) -> bool {
        matches!(self, Self::Window(_))
    }

    pub(crate) const fn is_same_kind(&self, other: &Self) -> bool {
        self.is_window() == other.is_window()
    }

    /// [`share`](Self::share) of at least one token.
    pub(crate) fn share_of_at_least_one(&self, part: f64) -> BucketPlan {
        self.share(part, 1).unwrap_or_else(|| {
            BucketPlan::new(1, MAX_PERIOD, 1).expect("one token in the longest period is a bucket")
        })
    }

    /// A part of the quota for one node, as a bucket: its burst is rounded down and at least
    /// `least`; `None` for a burst of 0.
    ///
    /// The part of a window is a bucket that gives half of it at once and half in the time of a
    /// window, and so never more than the part in any window.
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share is an estimate, rounded down"
    )]
    pub(crate) fn share(&self, part: f64, least: u64) -> Option<BucketPlan> {
        match self {
            Self::Bucket(plan) => {
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
            Self::Window(plan) => {
                let half = ((plan.limit as f64 * part / 2.0) as u64).max(least);
                let length = length(plan);
                BucketPlan::new(half.min(length), Duration::from_nanos(length), half).ok()
            }
        }
    }
}

/// The longest that a window of this kind can be, in nanoseconds.
const fn length(plan: &WindowPlan) -> u64 {
    match plan.span {
        WindowSpan::Fixed(period) | WindowSpan::Sliding(period) => period,
        WindowSpan::Calendar(CalendarUnit::Day) => DAY,
        WindowSpan::Calendar(CalendarUnit::Month) => MONTH,
    }
}
