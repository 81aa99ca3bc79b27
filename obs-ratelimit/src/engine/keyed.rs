use std::fmt;
use std::sync::Arc;

use obs_core::config::ConfigError;

use super::plans::{BLOCKED, InPlace, Override, PlanOf, Plans, reason};
use super::{Engine, Figures, Receipt, Refused, Report, Spent, Subject, Tell};
use crate::lease::NameOf;
use crate::local::{BucketCell, Cell, Grain, InFlightCell, TICK, Table, Timer, Wait, WindowCell};
use crate::overrides::Limit;
use crate::quota::{Plan, Quota};
use crate::store::StoreKey;

/// A limit with a cell for each key, in this process.
pub(crate) struct Keyed<C: Cell> {
    table: Table<C>,
    plans: InPlace<C::Plan>,
    timer: Arc<Timer>,
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
        let plans = InPlace::new(Plans::new(quota, overrides, None)?);
        Ok(Self { table: Table::new(max_keys), plans, timer })
    }

    fn report_of(&self, cell: &C, plan: &C::Plan, now: u64) -> Report {
        let standing = cell.standing(plan, now);
        Report { capacity: plan.capacity(), window: plan.window(), standing }
    }

    fn exact_now(&self, plans: &Plans<C::Plan>) -> u64 {
        self.timer.now(plans.base, Grain::Exact)
    }

    /// Charges the key of a plan.
    #[inline]
    fn charge(
        &self,
        plans: &Plans<C::Plan>,
        plan: &C::Plan,
        fingerprint: u64,
        cost: u64,
        tell: Tell,
    ) -> Spent {
        let now = self.timer.now(plans.base, plans.grain);
        if cost == 0 {
            let (cell, now) = self.table.read(fingerprint, now);
            let report = tell.admitted(|| self.report_of(&cell, plan, now));
            return Spent::Admitted { receipt: Receipt::default(), report, fallback: None };
        }
        let mut report = None;
        let (spent, place) = self.table.with(fingerprint, now, |cell, now, place| {
            let mut spent = cell.spend(plan, *now, cost);
            if let Err(wait) = spent
                && plans.grain == Grain::Tick
                && is_near(wait)
            {
                *now = self.exact_now(plans).max(*now);
                spent = cell.spend(plan, *now, cost);
            }
            if tell.is_due(spent.is_ok()) {
                report = Some(self.report_of(cell, plan, *now));
            }
            (spent, place)
        });
        match spent {
            Ok(charged) => {
                let receipt = Receipt { charged, place };
                Spent::Admitted { receipt, report, fallback: None }
            }
            Err(wait) => {
                let report = report.unwrap_or_default();
                Spent::Refused(Refused { wait, reason: reason(wait), report, fallback: None })
            }
        }
    }
}

/// Whether the exact time could make another answer of a refusal at a tick: admit the request, or
/// ask it to wait a second less.
#[inline]
fn is_near(wait: Wait) -> bool {
    matches!(wait, Wait::Nanos(wait) if wait % 1_000_000_000 <= TICK.as_nanos() as u64)
}

impl<C> Engine for Keyed<C>
where
    C: Cell,
    C::Plan: PlanOf,
{
    #[inline]
    fn spend(&self, subject: Subject, _: NameOf<'_>, cost: u64, tell: Tell) -> Spent {
        let plans = self.plans.load();
        match plans.of(subject.override_of) {
            Override::Plan(plan) => self.charge(&plans, plan, subject.fingerprint, cost, tell),
            Override::Unlimited => Spent::Unlimited,
            Override::Blocked => Spent::Refused(BLOCKED),
        }
    }

    fn probe(&self, subject: Subject, cost: u64) -> Result<(), Refused> {
        let plans = self.plans.load();
        let plan = match plans.of(subject.override_of) {
            Override::Plan(plan) => plan,
            Override::Unlimited => return Ok(()),
            Override::Blocked => return Err(BLOCKED),
        };
        let (mut cell, now) = self.table.read(subject.fingerprint, self.exact_now(&plans));
        match cell.spend(plan, now, cost) {
            Ok(_) => Ok(()),
            Err(wait) => {
                let report = self.report_of(&cell, plan, now);
                Err(Refused { wait, reason: reason(wait), report, fallback: None })
            }
        }
    }

    fn debit(&self, subject: Subject, _: NameOf<'_>, cost: u64) {
        let plans = self.plans.load();
        if let Override::Plan(plan) = plans.of(subject.override_of) {
            let now = self.exact_now(&plans);
            self.table.with(subject.fingerprint, now, |cell, now, _| cell.debit(plan, *now, cost));
        }
    }

    fn refund(&self, subject: Subject, _: Option<StoreKey>, receipt: Receipt) {
        let plans = self.plans.load();
        let now = self.timer.now(plans.base, plans.grain);
        self.table.revisit(subject.fingerprint, now, receipt.place, |cell, now| {
            cell.refund(now, receipt.charged);
        });
    }

    fn report(&self, subject: Subject) -> Option<Report> {
        let plans = self.plans.load();
        let plan = match plans.of(subject.override_of) {
            Override::Plan(plan) => plan,
            Override::Unlimited => return None,
            Override::Blocked => return Some(BLOCKED.report),
        };
        let (cell, now) = self.table.read(subject.fingerprint, self.exact_now(&plans));
        Some(self.report_of(&cell, plan, now))
    }

    fn forget(&self, subject: Subject) {
        self.table.forget(subject.fingerprint);
    }

    fn grant(&self, subject: Subject, tokens: u64) {
        let plans = self.plans.load();
        if let Override::Plan(plan) = plans.of(subject.override_of) {
            let now = self.exact_now(&plans);
            self.table
                .with(subject.fingerprint, now, |cell, now, _| cell.grant(plan, *now, tokens));
        }
    }

    fn replace(&self, default: Quota, overrides: Vec<(u64, Limit)>) -> Result<(), ConfigError> {
        self.plans.replace(default, overrides)
    }

    fn figures(&self) -> Figures {
        let now = self.exact_now(&self.plans.load());
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
