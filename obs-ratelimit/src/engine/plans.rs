use std::collections::HashMap;

use obs_core::config::ConfigError;

use super::{Reason, Refused, Report};
use crate::local::{Standing, TimeBase, Wait};
use crate::overrides::Limit;
use crate::quota::{BucketPlan, CalendarUnit, Plan, Quota, SharedPlan, WindowPlan, WindowSpan};

/// The plans of a policy, put in place together.
#[derive(Debug)]
pub(crate) struct Plans<P> {
    pub(super) base: TimeBase,
    default: P,
    overrides: HashMap<u64, Override<P>>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Override<P> {
    Plan(P),
    Unlimited,
    Blocked,
}

/// What an algorithm's plan knows about itself.
pub(crate) trait PlanOf: Sized {
    /// The plan in its own type; an error if the quota is of another kind.
    fn from_quota(quota: Quota) -> Result<Self, ConfigError>;
    fn capacity(&self) -> u64;
    /// Whole seconds in which the capacity can be used once; 0 where there are none.
    fn window(&self) -> u64;
    fn base(&self) -> TimeBase;

    /// Whether a cell of the one is a cell of the other.
    fn is_same_kind(&self, _other: &Self) -> bool {
        true
    }
}

fn other_kind(quota: Quota) -> ConfigError {
    let rule = "must be of the same kind as the policy's quota";
    ConfigError::new("overrides", format_args!("{quota:?}"), rule)
}

const NANOS: u64 = 1_000_000_000;

impl PlanOf for BucketPlan {
    fn from_quota(quota: Quota) -> Result<Self, ConfigError> {
        match quota.plan()? {
            Plan::Bucket(plan) => Ok(plan),
            _ => Err(other_kind(quota)),
        }
    }

    fn capacity(&self) -> u64 {
        self.burst
    }

    fn window(&self) -> u64 {
        let full = self.full();
        if full.part == 0 && full.nanos.is_multiple_of(NANOS) { full.nanos / NANOS } else { 0 }
    }

    fn base(&self) -> TimeBase {
        if self.is_long() { TimeBase::Steady } else { TimeBase::Monotonic }
    }
}

impl PlanOf for WindowPlan {
    fn from_quota(quota: Quota) -> Result<Self, ConfigError> {
        match quota.plan()? {
            Plan::Window(plan) => Ok(plan),
            _ => Err(other_kind(quota)),
        }
    }

    fn capacity(&self) -> u64 {
        self.limit
    }

    fn window(&self) -> u64 {
        match self.span {
            WindowSpan::Fixed(period) | WindowSpan::Sliding(period)
                if period.is_multiple_of(NANOS) =>
            {
                period / NANOS
            }
            WindowSpan::Calendar(CalendarUnit::Day) => 86_400,
            _ => 0,
        }
    }

    fn base(&self) -> TimeBase {
        TimeBase::Steady
    }
}

impl PlanOf for SharedPlan {
    fn from_quota(quota: Quota) -> Result<Self, ConfigError> {
        Self::new(quota)
    }

    fn capacity(&self) -> u64 {
        Self::capacity(self)
    }

    fn window(&self) -> u64 {
        match self {
            Self::Bucket(plan) => plan.window(),
            Self::Window(plan) => plan.window(),
        }
    }

    /// Leases are short, whatever the period: they are timed on the monotonic clock.
    fn base(&self) -> TimeBase {
        TimeBase::Monotonic
    }

    fn is_same_kind(&self, other: &Self) -> bool {
        Self::is_same_kind(self, other)
    }
}

impl PlanOf for u64 {
    fn from_quota(quota: Quota) -> Result<Self, ConfigError> {
        match quota.plan()? {
            Plan::Concurrency(limit) => Ok(limit),
            _ => Err(other_kind(quota)),
        }
    }

    fn capacity(&self) -> u64 {
        *self
    }

    fn window(&self) -> u64 {
        0
    }

    fn base(&self) -> TimeBase {
        TimeBase::Monotonic
    }
}

impl<P: PlanOf + Copy> Plans<P> {
    /// All plans of a policy share the clock of its own quota, or cells would jump in time.
    pub(crate) fn new(
        default: Quota,
        overrides: Vec<(u64, Limit)>,
        base: Option<TimeBase>,
    ) -> Result<Self, ConfigError> {
        let default = P::from_quota(default)?;
        let plan = |(key, limit)| {
            let plan = match limit {
                Limit::Quota(quota) => {
                    let plan = P::from_quota(quota)?;
                    if !plan.is_same_kind(&default) {
                        return Err(other_kind(quota));
                    }
                    Override::Plan(plan)
                }
                Limit::Unlimited => Override::Unlimited,
                Limit::Blocked => Override::Blocked,
            };
            Ok((key, plan))
        };
        let overrides = overrides.into_iter().map(plan).collect::<Result<_, ConfigError>>()?;
        Ok(Self { base: base.unwrap_or_else(|| default.base()), default, overrides })
    }

    /// The plans that replace these; on the same clock.
    pub(super) fn replaced(
        &self,
        quota: Quota,
        overrides: Vec<(u64, Limit)>,
    ) -> Result<Self, ConfigError> {
        let plans = Self::new(quota, overrides, Some(self.base))?;
        if !plans.default.is_same_kind(&self.default) {
            return Err(other_kind(quota));
        }
        Ok(plans)
    }

    #[inline]
    pub(super) fn of(&self, key: u64) -> Override<P> {
        if self.overrides.is_empty() {
            return Override::Plan(self.default);
        }
        self.overrides.get(&key).copied().unwrap_or(Override::Plan(self.default))
    }
}

pub(super) fn reason(wait: Wait) -> Reason {
    if wait == Wait::Never { Reason::Cost } else { Reason::Limit }
}

pub(super) const BLOCKED: Refused = Refused {
    fallback: None,
    wait: Wait::Never,
    reason: Reason::Blocked,
    report: Report { capacity: 0, window: 0, standing: Standing { remaining: 0, more_in: 0 } },
};
