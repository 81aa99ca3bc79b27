//! Policies over a store: one shape, and two methods.
//!
//! What is the same for all is here: which quota a key has, how it is replaced, and how a call to
//! the store is bounded in time. A [`Method`] decides: by [leases](leased), or by
//! [asking](strict) about every request.

mod leased;
mod strict;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use obs_core::config::ConfigError;
use tokio::time::timeout;

use super::plans::{BLOCKED, InPlace, Override, PlanOf, Plans};
use super::{
    Engine, Figures, Reason, Receipt, Refused, Report, Spent, StoreAction, StoreFigures, Subject,
    Tell, Waiting,
};
use crate::lease::{Gate, LeaseConfig, NameOf};
use crate::local::{Grain, Standing, TimeBase, Timer, Wait};
use crate::overrides::Limit;
use crate::quota::Quota;
use crate::store::{Store, StoreError, StoreErrorKind, StoreFuture, StoreKey};

pub(crate) use leased::leased;
pub(crate) use strict::strict;

/// A policy over a store.
struct OverStore<M: Method>(Arc<Core<M>>);

/// What the calls of a policy share with it.
struct Core<M: Method> {
    method: M,
    store: Arc<dyn Store>,
    config: LeaseConfig,
    plans: InPlace<M::Plan>,
    timer: Arc<Timer>,
}

/// How a policy over a store decides.
trait Method: Sized + Send + Sync + 'static {
    type Plan: PlanOf + Copy + fmt::Debug + Send + Sync + 'static;

    /// The word in snapshots.
    const NAME: &'static str;

    fn gate(&self) -> &Gate;

    /// Charges a key, or says why not, or that the store must be asked.
    fn spend(
        core: &Arc<Core<Self>>,
        subject: Subject,
        name: NameOf<'_>,
        plan: &Self::Plan,
        cost: u64,
        tell: Tell,
    ) -> Spent;

    /// Decides with the store, within its time-out.
    fn wait(
        core: Arc<Core<Self>>,
        subject: Subject,
        name: StoreKey,
        plan: Self::Plan,
        cost: u64,
    ) -> Waiting<Spent>;

    /// What is known here of a key's standing; `None` if only the store knows it.
    fn standing(&self, subject: Subject, plan: &Self::Plan, now: u64) -> Option<Standing>;

    fn debit(
        core: &Arc<Core<Self>>,
        subject: Subject,
        name: NameOf<'_>,
        plan: &Self::Plan,
        cost: u64,
    );

    fn refund(
        core: &Arc<Core<Self>>,
        subject: Subject,
        name: Option<StoreKey>,
        plan: &Self::Plan,
        receipt: Receipt,
    );

    fn forget(&self, subject: Subject);

    /// The store may have more for this key than it said.
    fn wake(&self, _subject: Subject, _now: u64) {}

    fn replaced(&self) {}

    fn drain(_core: Arc<Core<Self>>) -> Waiting<()> {
        Box::pin(std::future::ready(()))
    }

    /// What the store says of a key, without charging it.
    fn look(store: &dyn Store, name: StoreKey, plan: &Self::Plan) -> StoreFuture<Standing>;

    /// Gives tokens of a key back to the store.
    fn give(
        store: Arc<dyn Store>,
        name: StoreKey,
        plan: Self::Plan,
        tokens: u64,
    ) -> StoreFuture<()>;

    /// Keys with a cell in use, keys that shared one, and bytes of memory.
    fn table(&self, now: u64) -> (usize, u64, usize);
}

impl<M: Method> OverStore<M> {
    fn new(
        method: M,
        store: Arc<dyn Store>,
        config: LeaseConfig,
        quota: Quota,
        overrides: Vec<(u64, Limit)>,
        timer: Arc<Timer>,
    ) -> Result<Self, ConfigError> {
        let plans = InPlace::new(Plans::new(quota, overrides, None)?);
        Ok(Self(Arc::new(Core { method, store, config, plans, timer })))
    }
}

impl<M: Method> Core<M> {
    fn now(&self) -> u64 {
        self.timer.now(TimeBase::Monotonic, Grain::Exact)
    }

    /// The plan of a key; of one without a limit, what is said of it instead.
    fn plan_of(&self, subject: Subject) -> Override<M::Plan> {
        match self.plans.load().of(subject.override_of) {
            Override::Plan(plan) => Override::Plan(*plan),
            Override::Unlimited => Override::Unlimited,
            Override::Blocked => Override::Blocked,
        }
    }

    fn report_of(&self, subject: Subject, plan: &M::Plan) -> Report {
        let (capacity, window) = (plan.capacity(), plan.window());
        let unused = Standing { remaining: capacity, more_in: 0 };
        let standing = self.method.standing(subject, plan, self.now()).unwrap_or(unused);
        Report { capacity, window, standing }
    }

    async fn act(
        self: Arc<Self>,
        name: StoreKey,
        plan: M::Plan,
        action: StoreAction,
    ) -> Result<Option<Report>, StoreError> {
        let limit = self.config.store_timeout;
        match action {
            StoreAction::Peek => {}
            StoreAction::Reset => within(limit, self.store.reset(name)).await?,
            StoreAction::Grant(tokens) => {
                within(limit, M::give(self.store.clone(), name, plan, tokens)).await?;
            }
        }
        let standing = within(limit, M::look(&*self.store, name, &plan)).await?;
        Ok(Some(Report { capacity: plan.capacity(), window: plan.window(), standing }))
    }
}

/// An answer of the store, or its time-out.
async fn within<T>(limit: Duration, answer: StoreFuture<T>) -> Result<T, StoreError> {
    let late = |_| Err(StoreError::new(StoreErrorKind::Timeout));
    timeout(limit, answer).await.unwrap_or_else(late)
}

/// Runs a call that nobody waits for; without a runtime it is lost, which is safe.
fn in_background(call: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(call);
    }
}

impl<M: Method> Engine for OverStore<M> {
    #[inline]
    fn spend(&self, subject: Subject, name: NameOf<'_>, cost: u64, tell: Tell) -> Spent {
        let plans = self.0.plans.load();
        let plan = match plans.of(subject.override_of) {
            Override::Plan(plan) => plan,
            Override::Unlimited => return Spent::Unlimited,
            Override::Blocked => return Spent::Refused(BLOCKED),
        };
        if cost == 0 {
            let report = tell.admitted(|| self.0.report_of(subject, plan));
            return Spent::Admitted { receipt: Receipt::default(), report, fallback: None };
        }
        M::spend(&self.0, subject, name, plan, cost, tell)
    }

    fn wait(&self, subject: Subject, name: StoreKey, cost: u64) -> Waiting<Spent> {
        match self.0.plan_of(subject) {
            Override::Plan(plan) => M::wait(self.0.clone(), subject, name, plan, cost),
            Override::Unlimited => Box::pin(std::future::ready(Spent::Unlimited)),
            Override::Blocked => Box::pin(std::future::ready(Spent::Refused(BLOCKED))),
        }
    }

    fn drain(&self) -> Waiting<()> {
        M::drain(self.0.clone())
    }

    /// Where only the store knows, it is asked when it is the policy's turn.
    fn probe(&self, subject: Subject, cost: u64) -> Result<(), Refused> {
        let plan = match self.0.plan_of(subject) {
            Override::Plan(plan) => plan,
            Override::Unlimited => return Ok(()),
            Override::Blocked => return Err(BLOCKED),
        };
        let report = self.0.report_of(subject, &plan);
        if report.standing.remaining >= cost {
            return Ok(());
        }
        let wait = Wait::Nanos(report.standing.more_in);
        Err(Refused { wait, reason: Reason::Limit, report, fallback: None })
    }

    fn debit(&self, subject: Subject, name: NameOf<'_>, cost: u64) {
        if let Override::Plan(plan) = self.0.plan_of(subject) {
            M::debit(&self.0, subject, name, &plan, cost);
        }
    }

    fn refund(&self, subject: Subject, name: Option<StoreKey>, receipt: Receipt) {
        if let Override::Plan(plan) = self.0.plan_of(subject) {
            M::refund(&self.0, subject, name, &plan, receipt);
        }
    }

    fn report(&self, subject: Subject) -> Option<Report> {
        match self.0.plan_of(subject) {
            Override::Plan(plan) => Some(self.0.report_of(subject, &plan)),
            Override::Unlimited => None,
            Override::Blocked => Some(BLOCKED.report),
        }
    }

    fn forget(&self, subject: Subject) {
        self.0.method.forget(subject);
    }

    /// The tokens are the store's to give; this node asks it again.
    fn grant(&self, subject: Subject, _tokens: u64) {
        self.0.method.wake(subject, self.0.now());
    }

    fn in_store(
        &self,
        subject: Subject,
        name: StoreKey,
        action: StoreAction,
    ) -> Option<Waiting<Result<Option<Report>, StoreError>>> {
        let plan = match self.0.plan_of(subject) {
            Override::Plan(plan) => plan,
            Override::Unlimited => return Some(Box::pin(std::future::ready(Ok(None)))),
            Override::Blocked => {
                return Some(Box::pin(std::future::ready(Ok(Some(BLOCKED.report)))));
            }
        };
        Some(Box::pin(self.0.clone().act(name, plan, action)))
    }

    fn replace(&self, default: Quota, overrides: Vec<(u64, Limit)>) -> Result<(), ConfigError> {
        self.0.plans.replace(default, overrides)?;
        self.0.method.replaced();
        Ok(())
    }

    fn figures(&self) -> Figures {
        let gate = self.0.method.gate();
        let counts = gate.counts();
        let store = StoreFigures {
            name: self.0.store.name(),
            mode: M::NAME,
            circuit: gate.state().as_str(),
            calls: counts.calls.load(Ordering::Relaxed),
            failures: counts.failures.load(Ordering::Relaxed),
            leased: counts.leased.load(Ordering::Relaxed),
            returned: counts.returned.load(Ordering::Relaxed),
            fallback: counts.fallback.load(Ordering::Relaxed),
        };
        let (limited_keys, overflowed, memory) = self.0.method.table(self.0.now());
        Figures { limited_keys, overflowed, memory, store: Some(store) }
    }
}

impl<M: Method> fmt::Debug for OverStore<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OverStore")
            .field("method", &M::NAME)
            .field("store", &self.0.store)
            .finish_non_exhaustive()
    }
}
