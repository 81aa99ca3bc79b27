use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwapOption, Guard};
use obs_core::config::ConfigError;

use super::{Reason, Refused, Report};
use crate::local::{Grain, Standing, TICK, TimeBase, Wait};
use crate::overrides::Limit;
use crate::quota::{BucketPlan, CalendarUnit, Plan, Quota, SharedPlan, WindowPlan, WindowSpan};

/// The plans of a policy, put in place together.
#[derive(Debug)]
pub(crate) struct Plans<P> {
    pub(super) base: TimeBase,
    pub(super) grain: Grain,
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

    /// How exactly it must be timed.
    fn grain(&self) -> Grain;

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

/// A tick is exact enough where the time that a limit is about is a hundred of them.
fn grain_of(time: u64) -> Grain {
    if Duration::from_nanos(time) >= 100 * TICK { Grain::Tick } else { Grain::Exact }
}

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

    fn grain(&self) -> Grain {
        if self.is_strict() { Grain::Exact } else { grain_of(self.full().nanos) }
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

    fn grain(&self) -> Grain {
        match self.span {
            WindowSpan::Fixed(period) | WindowSpan::Sliding(period) => grain_of(period),
            WindowSpan::Calendar(_) => Grain::Tick,
        }
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

    fn grain(&self) -> Grain {
        Grain::Exact
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

    /// Places know no time.
    fn grain(&self) -> Grain {
        Grain::Tick
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
        let overrides: HashMap<_, _> =
            overrides.into_iter().map(plan).collect::<Result<_, ConfigError>>()?;
        let is_exact = |plan: &Override<P>| matches!(plan, Override::Plan(plan) if plan.grain() == Grain::Exact);
        let grain = if overrides.values().any(is_exact) { Grain::Exact } else { default.grain() };
        Ok(Self { base: base.unwrap_or_else(|| default.base()), grain, default, overrides })
    }

    /// The plans that replace these; on the same clock.
    fn replaced(&self, quota: Quota, overrides: Vec<(u64, Limit)>) -> Result<Self, ConfigError> {
        let plans = Self::new(quota, overrides, Some(self.base))?;
        if !plans.default.is_same_kind(&self.default) {
            return Err(other_kind(quota));
        }
        Ok(plans)
    }

    #[inline]
    pub(super) fn of(&self, key: u64) -> Override<&P> {
        if self.overrides.is_empty() {
            return Override::Plan(&self.default);
        }
        match self.overrides.get(&key) {
            None => Override::Plan(&self.default),
            Some(Override::Plan(plan)) => Override::Plan(plan),
            Some(Override::Unlimited) => Override::Unlimited,
            Some(Override::Blocked) => Override::Blocked,
        }
    }
}

/// The plans in place. Until they are replaced for the first time, looking at them costs a load.
#[derive(Debug)]
pub(super) struct InPlace<P> {
    first: Plans<P>,
    is_replaced: AtomicBool,
    latest: ArcSwapOption<Plans<P>>,
}

/// The plans that were in place when they were looked at.
pub(super) enum InUse<'a, P> {
    First(&'a Plans<P>),
    Latest(Guard<Option<Arc<Plans<P>>>>, &'a Plans<P>),
}

impl<P> Deref for InUse<'_, P> {
    type Target = Plans<P>;

    #[inline]
    fn deref(&self) -> &Plans<P> {
        match self {
            Self::First(plans) => plans,
            Self::Latest(plans, first) => plans.as_deref().unwrap_or(first),
        }
    }
}

impl<P: PlanOf + Copy> InPlace<P> {
    pub(super) fn new(plans: Plans<P>) -> Self {
        Self { first: plans, is_replaced: AtomicBool::new(false), latest: ArcSwapOption::empty() }
    }

    #[inline]
    pub(super) fn load(&self) -> InUse<'_, P> {
        if self.is_replaced.load(Ordering::Acquire) {
            return InUse::Latest(self.latest.load(), &self.first);
        }
        InUse::First(&self.first)
    }

    /// Puts others in place, on the same clock.
    pub(super) fn replace(
        &self,
        default: Quota,
        overrides: Vec<(u64, Limit)>,
    ) -> Result<(), ConfigError> {
        let plans = self.load().replaced(default, overrides)?;
        self.latest.store(Some(Arc::new(plans)));
        self.is_replaced.store(true, Ordering::Release);
        Ok(())
    }
}

/// What headers say of a quota: its capacity, and the whole seconds in which that can be used once.
pub(crate) fn advertised(quota: Quota) -> Result<(u64, u64), ConfigError> {
    Ok(match quota.plan()? {
        Plan::Bucket(plan) => (plan.capacity(), plan.window()),
        Plan::Window(plan) => (plan.capacity(), plan.window()),
        Plan::Concurrency(limit) => (limit, 0),
    })
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
