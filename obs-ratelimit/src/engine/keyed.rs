use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use obs_core::clock::Clock;
use obs_core::config::ConfigError;

use super::{Engine, Figures, Reason, Receipt, Refused, Report, SharedKey, Spent, Subject};
use crate::local::{BucketCell, Cell, InFlightCell, Steady, Table, TimeBase, Wait, WindowCell};
use crate::overrides::Limit;
use crate::quota::{BucketPlan, Plan, Quota, WindowPlan, WindowSpan};

/// A limit with a cell for each key, in this process.
pub(crate) struct Keyed<C: Cell> {
    table: Table<C>,
    plans: ArcSwap<Plans<C::Plan>>,
    timer: Arc<Timer>,
}

/// The clocks of a limiter.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    pub(crate) clock: Clock,
    steady: Steady,
}

impl Timer {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, steady: Steady::default() }
    }

    #[inline]
    pub(crate) fn now(&self, base: TimeBase) -> u64 {
        match base {
            TimeBase::Monotonic => self.clock.now().as_nanos(),
            TimeBase::Steady => self.steady.now(&self.clock),
        }
    }
}

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
            WindowSpan::Calendar(crate::quota::CalendarUnit::Day) => 86_400,
            _ => 0,
        }
    }

    fn base(&self) -> TimeBase {
        TimeBase::Steady
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
                Limit::Quota(quota) => Override::Plan(P::from_quota(quota)?),
                Limit::Unlimited => Override::Unlimited,
                Limit::Blocked => Override::Blocked,
            };
            Ok((key, plan))
        };
        let overrides = overrides.into_iter().map(plan).collect::<Result<_, ConfigError>>()?;
        Ok(Self { base: base.unwrap_or_else(|| default.base()), default, overrides })
    }

    #[inline]
    pub(super) fn of(&self, key: u64) -> Override<P> {
        if self.overrides.is_empty() {
            return Override::Plan(self.default);
        }
        self.overrides.get(&key).copied().unwrap_or(Override::Plan(self.default))
    }
}

/// The engine for `quota`, with room for `max_keys`. With the feature `governor`, governor decides
/// about `bounded` keys: those that a caller cannot make up.
#[cfg_attr(not(feature = "governor"), allow(unused_variables))]
pub(crate) fn keyed(
    quota: Quota,
    overrides: Vec<(u64, Limit)>,
    max_keys: usize,
    bounded: bool,
    timer: Arc<Timer>,
) -> Result<Box<dyn Engine>, ConfigError> {
    Ok(match quota.plan()? {
        #[cfg(feature = "governor")]
        Plan::Bucket(_) if bounded => {
            Box::new(Keyed::<crate::local::GovernedCell>::new(quota, overrides, max_keys, timer)?)
        }
        Plan::Bucket(_) => Box::new(Keyed::<BucketCell>::new(quota, overrides, max_keys, timer)?),
        Plan::Window(_) => Box::new(Keyed::<WindowCell>::new(quota, overrides, max_keys, timer)?),
        Plan::Concurrency(_) => {
            Box::new(Keyed::<InFlightCell>::new(quota, overrides, max_keys, timer)?)
        }
    })
}

impl<C> Keyed<C>
where
    C: Cell,
    C::Plan: PlanOf,
{
    fn new(
        quota: Quota,
        overrides: Vec<(u64, Limit)>,
        max_keys: usize,
        timer: Arc<Timer>,
    ) -> Result<Self, ConfigError> {
        let plans = ArcSwap::from_pointee(Plans::new(quota, overrides, None)?);
        Ok(Self { table: Table::new(max_keys), plans, timer })
    }

    fn report_of(&self, cell: &C, plan: &C::Plan, now: u64) -> Report {
        let standing = cell.standing(plan, now);
        Report { capacity: plan.capacity(), window: plan.window(), standing }
    }
}

pub(super) fn reason(wait: Wait) -> Reason {
    if wait == Wait::Never { Reason::Cost } else { Reason::Limit }
}

pub(super) const BLOCKED: Refused = Refused {
    fallback: None,
    wait: Wait::Never,
    reason: Reason::Blocked,
    report: Report {
        capacity: 0,
        window: 0,
        standing: crate::local::Standing { remaining: 0, more_in: 0 },
    },
};

impl<C> Engine for Keyed<C>
where
    C: Cell,
    C::Plan: PlanOf,
{
    #[inline]
    fn spend(&self, subject: Subject, _: SharedKey<'_>, cost: u64, report: bool) -> Spent {
        let plans = self.plans.load();
        let plan = match plans.of(subject.override_of) {
            Override::Plan(plan) => plan,
            Override::Unlimited => return Spent::Unlimited,
            Override::Blocked => return Spent::Refused(BLOCKED),
        };
        let now = self.timer.now(plans.base);
        if cost == 0 {
            let (cell, now) = self.table.read(subject.fingerprint, now);
            let report = report.then(|| self.report_of(&cell, &plan, now));
            return Spent::Admitted { receipt: Receipt::default(), report, fallback: None };
        }
        let (spent, place, cell, now) =
            self.table.with(subject.fingerprint, now, |cell, now, place| {
                (cell.spend(&plan, now, cost), place, *cell, now)
            });
        match spent {
            Ok(charged) => Spent::Admitted {
                receipt: Receipt { charged, place, key: None },
                report: report.then(|| self.report_of(&cell, &plan, now)),
                fallback: None,
            },
            Err(wait) => {
                let report = self.report_of(&cell, &plan, now);
                Spent::Refused(Refused { wait, reason: reason(wait), report, fallback: None })
            }
        }
    }

    fn probe(&self, subject: Subject, cost: u64) -> Result<(), Refused> {
        let plans = self.plans.load();
        let plan = match plans.of(subject.override_of) {
            Override::Plan(plan) => plan,
            Override::Unlimited => return Ok(()),
            Override::Blocked => return Err(BLOCKED),
        };
        let (mut cell, now) = self.table.read(subject.fingerprint, self.timer.now(plans.base));
        match cell.spend(&plan, now, cost) {
            Ok(_) => Ok(()),
            Err(wait) => {
                let report = self.report_of(&cell, &plan, now);
                Err(Refused { wait, reason: reason(wait), report, fallback: None })
            }
        }
    }

    fn debit(&self, subject: Subject, cost: u64) {
        let plans = self.plans.load();
        if let Override::Plan(plan) = plans.of(subject.override_of) {
            let now = self.timer.now(plans.base);
            self.table.with(subject.fingerprint, now, |cell, now, _| cell.debit(&plan, now, cost));
        }
    }

    fn refund(&self, subject: Subject, receipt: Receipt) {
        let now = self.timer.now(self.plans.load().base);
        self.table.revisit(subject.fingerprint, now, receipt.place, |cell, now| {
            cell.refund(now, receipt.charged);
        });
    }

    fn report(&self, subject: Subject) -> Report {
        let plans = self.plans.load();
        let Override::Plan(plan) = plans.of(subject.override_of) else { return BLOCKED.report };
        let (cell, now) = self.table.read(subject.fingerprint, self.timer.now(plans.base));
        self.report_of(&cell, &plan, now)
    }

    fn forget(&self, subject: Subject) {
        self.table.forget(subject.fingerprint);
    }

    fn grant(&self, subject: Subject, tokens: u64) {
        let plans = self.plans.load();
        if let Override::Plan(plan) = plans.of(subject.override_of) {
            let now = self.timer.now(plans.base);
            self.table
                .with(subject.fingerprint, now, |cell, now, _| cell.grant(&plan, now, tokens));
        }
    }

    fn replace(&self, default: Quota, overrides: Vec<(u64, Limit)>) -> Result<(), ConfigError> {
        let base = self.plans.load().base;
        self.plans.store(Arc::new(Plans::new(default, overrides, Some(base))?));
        Ok(())
    }

    fn figures(&self) -> Figures {
        let now = self.timer.now(self.plans.load().base);
        Figures {
            limited_keys: self.table.limited_keys(now),
            overflowed: self.table.overflowed(),
            memory: self.table.memory(),
            store: None,
        }
    }
}

impl<C: Cell> fmt::Debug for Keyed<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed").field("table", &self.table).finish_non_exhaustive()
    }
}
