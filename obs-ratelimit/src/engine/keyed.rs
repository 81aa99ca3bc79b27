use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use obs_core::config::ConfigError;

use super::plans::{BLOCKED, Override, PlanOf, Plans, reason};
use super::{Engine, Figures, Receipt, Refused, Report, Spent, Subject, Tell};
use crate::lease::NameOf;
use crate::local::{BucketCell, Cell, InFlightCell, Table, Timer, WindowCell};
use crate::overrides::Limit;
use crate::quota::{Plan, Quota};
use crate::store::StoreKey;

/// A limit with a cell for each key, in this process.
pub(crate) struct Keyed<C: Cell> {
    table: Table<C>,
    plans: ArcSwap<Plans<C::Plan>>,
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
        let plans = ArcSwap::from_pointee(Plans::new(quota, overrides, None)?);
        Ok(Self { table: Table::new(max_keys), plans, timer })
    }

    fn report_of(&self, cell: &C, plan: &C::Plan, now: u64) -> Report {
        let standing = cell.standing(plan, now);
        Report { capacity: plan.capacity(), window: plan.window(), standing }
    }
}

impl<C> Engine for Keyed<C>
where
    C: Cell,
    C::Plan: PlanOf,
{
    #[inline]
    fn spend(&self, subject: Subject, _: NameOf<'_>, cost: u64, tell: Tell) -> Spent {
        let plans = self.plans.load();
        let plan = match plans.of(subject.override_of) {
            Override::Plan(plan) => plan,
            Override::Unlimited => return Spent::Unlimited,
            Override::Blocked => return Spent::Refused(BLOCKED),
        };
        let now = self.timer.now(plans.base);
        if cost == 0 {
            let (cell, now) = self.table.read(subject.fingerprint, now);
            let report = tell.admitted(|| self.report_of(&cell, &plan, now));
            return Spent::Admitted { receipt: Receipt::default(), report, fallback: None };
        }
        let (spent, place, cell, now) =
            self.table.with(subject.fingerprint, now, |cell, now, place| {
                (cell.spend(&plan, now, cost), place, *cell, now)
            });
        match spent {
            Ok(charged) => Spent::Admitted {
                receipt: Receipt { charged, place },
                report: tell.admitted(|| self.report_of(&cell, &plan, now)),
                fallback: None,
            },
            Err(wait) => {
                let report = tell.refused(|| self.report_of(&cell, &plan, now));
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

    fn debit(&self, subject: Subject, _: NameOf<'_>, cost: u64) {
        let plans = self.plans.load();
        if let Override::Plan(plan) = plans.of(subject.override_of) {
            let now = self.timer.now(plans.base);
            self.table.with(subject.fingerprint, now, |cell, now, _| cell.debit(&plan, now, cost));
        }
    }

    fn refund(&self, subject: Subject, _: Option<StoreKey>, receipt: Receipt) {
        let now = self.timer.now(self.plans.load().base);
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
        let (cell, now) = self.table.read(subject.fingerprint, self.timer.now(plans.base));
        Some(self.report_of(&cell, &plan, now))
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
        let plans = self.plans.load().replaced(default, overrides)?;
        self.plans.store(Arc::new(plans));
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
