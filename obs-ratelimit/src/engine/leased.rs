use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use obs_core::config::ConfigError;
use obs_core::random::Random;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

use super::keyed::{BLOCKED, Override, PlanOf, Plans, reason};
use super::{
    Engine, Figures, Reason, Receipt, Refused, Report, SharedKey, Spent, StoreFigures, Subject,
    Timer, Waiting,
};
use crate::lease::{Ask, Fallback, LeaseConfig, Plane, Step};
use crate::local::{Charged, Place, TimeBase, Wait};
use crate::overrides::Limit;
use crate::quota::{BucketPlan, Quota};
use crate::store::{Grant, SharedBucket, Store, StoreError, StoreErrorKind, StoreKey};

/// A limit that leases tokens from a store; its calls run as tasks on tokio.
#[derive(Clone)]
pub(crate) struct Leased(Arc<Shared>);

struct Shared {
    plane: Plane,
    store: Arc<dyn Store>,
    plans: ArcSwap<Plans<BucketPlan>>,
    timer: Arc<Timer>,
    /// Who waits for a key waits at the bell of its fingerprint.
    bells: Box<[Notify]>,
    housekeeping: AtomicBool,
}

const BELLS: usize = 64;

impl Leased {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        config: LeaseConfig,
        quota: Quota,
        overrides: Vec<(u64, Limit)>,
        max_keys: usize,
        timer: Arc<Timer>,
    ) -> Result<Self, ConfigError> {
        let plan = SharedBucket::new(quota)?.plan;
        // Leases are short, whatever the period: they are timed on the monotonic clock.
        let plans = Plans::new(quota, overrides, Some(TimeBase::Monotonic))?;
        let plane = Plane::new(plan, config, max_keys, timer.clock.clone(), Random::system())?;
        Ok(Self(Arc::new(Shared {
            plane,
            store,
            plans: ArcSwap::from_pointee(plans),
            timer,
            bells: std::iter::repeat_with(Notify::new).take(BELLS).collect(),
            housekeeping: AtomicBool::new(false),
        })))
    }

    /// Asks the plane once, and sets the call it wants on its way.
    fn attempt(&self, subject: Subject, key: SharedKey<'_>, plan: &BucketPlan, cost: u64) -> Step {
        let now = self.0.now();
        let (step, ask) = self.0.plane.spend(subject.fingerprint, key, plan, cost, now);
        if let Some(ask) = ask {
            self.call(subject.fingerprint, ask);
        }
        step
    }

    fn call(&self, fingerprint: u64, ask: Ask) {
        let call = Call { shared: self.0.clone(), fingerprint, ask: Some(ask) };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(call.run())),
            // Outside of a runtime there is no store.
            Err(_) => drop(call),
        }
    }

    fn spent(
        &self,
        step: Step,
        subject: Subject,
        plan: &BucketPlan,
        cost: u64,
        report: bool,
    ) -> Spent {
        match step {
            Step::Await => Spent::Await,
            Step::Pass { stamp, fallback } => Spent::Admitted {
                receipt: Receipt {
                    charged: Charged { amount: cost, stamp },
                    place: Place::Own,
                    key: None,
                },
                report: report.then(|| self.0.report(subject, plan)),
                fallback,
            },
            Step::Refuse { wait, fallback } => {
                let closed = fallback == Some(Fallback::Closed);
                let reason = if closed { Reason::Closed } else { reason(wait) };
                let mut shown = self.0.report(subject, plan);
                shown.standing.remaining = shown.standing.remaining.min(cost.saturating_sub(1));
                if let Wait::Nanos(wait) = wait {
                    shown.standing.more_in = shown.standing.more_in.min(wait).max(1);
                }
                Spent::Refused(Refused { wait, reason, report: shown, fallback })
            }
        }
    }
}

impl Shared {
    fn now(&self) -> u64 {
        self.timer.now(TimeBase::Monotonic)
    }

    fn bell(&self, fingerprint: u64) -> &Notify {
        &self.bells[(fingerprint % BELLS as u64) as usize]
    }

    fn report(&self, subject: Subject, plan: &BucketPlan) -> Report {
        let standing = self.plane.standing(subject.fingerprint, plan, self.now());
        Report { capacity: plan.capacity(), window: plan.window(), standing }
    }

    async fn return_due(&self, all: bool) {
        for back in self.plane.returns(self.now(), all) {
            // Once and never again: a return that was lost costs tokens, one made twice gives some.
            let _ = timeout(self.plane.config().store_timeout, self.store.give_back(back)).await;
        }
    }
}

/// A call to the store under way. However it ends, the plane is told and those who wait are woken.
struct Call {
    shared: Arc<Shared>,
    fingerprint: u64,
    ask: Option<Ask>,
}

impl Call {
    async fn run(mut self) {
        let Some(ask) = &self.ask else { return };
        let answer = self.shared.store.take(ask.take);
        let result = timeout(self.shared.plane.config().store_timeout, answer).await;
        let result = result.unwrap_or_else(|_| Err(StoreError::new(StoreErrorKind::Timeout)));
        self.finish(&result);
        keep_house(&self.shared);
    }

    fn finish(&mut self, result: &Result<Grant, StoreError>) {
        if let Some(ask) = self.ask.take() {
            self.shared.plane.complete(ask, result, self.shared.now());
            self.shared.bell(self.fingerprint).notify_waiters();
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.finish(&Err(StoreError::new(StoreErrorKind::Unavailable)));
    }
}

/// Looks at leases that are half over, as long as there are any and somebody owns them.
fn keep_house(shared: &Arc<Shared>) {
    if !shared.plane.has_leases() || shared.housekeeping.swap(true, Ordering::AcqRel) {
        return;
    }
    let weak = Arc::downgrade(shared);
    let pause = (shared.plane.config().target / 2).max(Duration::from_millis(1));
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(pause).await;
            let Some(shared) = weak.upgrade() else { return };
            shared.return_due(false).await;
            if !shared.plane.has_leases() {
                shared.housekeeping.store(false, Ordering::Release);
                return;
            }
        }
    });
}

impl Engine for Leased {
    fn spend(&self, subject: Subject, key: SharedKey<'_>, cost: u64, report: bool) -> Spent {
        let plan = match self.0.plans.load().of(subject.override_of) {
            Override::Plan(plan) => plan,
            Override::Unlimited => return Spent::Unlimited,
            Override::Blocked => return Spent::Refused(BLOCKED),
        };
        if cost == 0 {
            let report = report.then(|| self.0.report(subject, &plan));
            return Spent::Admitted { receipt: Receipt::default(), report, fallback: None };
        }
        let step = self.attempt(subject, key, &plan, cost);
        self.spent(step, subject, &plan, cost, report)
    }

    fn wait(&self, subject: Subject, key: StoreKey, cost: u64) -> Waiting<Spent> {
        let this = self.clone();
        Box::pin(async move {
            let plan = match this.0.plans.load().of(subject.override_of) {
                Override::Plan(plan) => plan,
                Override::Unlimited => return Spent::Unlimited,
                Override::Blocked => return Spent::Refused(BLOCKED),
            };
            let until = Instant::now() + this.0.plane.config().store_timeout;
            loop {
                // The bell is listened to before the cell is asked, so no ring is missed.
                let mut bell = std::pin::pin!(this.0.bell(subject.fingerprint).notified());
                bell.as_mut().enable();
                let step = this.attempt(subject, &|| key, &plan, cost);
                if step != Step::Await {
                    return this.spent(step, subject, &plan, cost, true);
                }
                if timeout_at(until, bell).await.is_err() {
                    let now = this.0.now();
                    let step = this.0.plane.fall_back(subject.fingerprint, &plan, cost, now);
                    return this.spent(step, subject, &plan, cost, true);
                }
            }
        })
    }

    fn drain(&self) -> Waiting<()> {
        let shared = self.0.clone();
        Box::pin(async move { shared.return_due(true).await })
    }

    fn probe(&self, subject: Subject, cost: u64) -> Result<(), Refused> {
        match self.0.plans.load().of(subject.override_of) {
            Override::Unlimited => Ok(()),
            Override::Blocked => Err(BLOCKED),
            Override::Plan(plan) => {
                let report = self.0.report(subject, &plan);
                if report.standing.remaining >= cost {
                    return Ok(());
                }
                let wait = Wait::Nanos(report.standing.more_in);
                Err(Refused { wait, reason: Reason::Limit, report, fallback: None })
            }
        }
    }

    /// What was used without asking is told to the store with the next lease.
    fn debit(&self, subject: Subject, cost: u64) {
        self.0.plane.debit(subject.fingerprint, cost, self.0.now());
    }

    fn refund(&self, subject: Subject, receipt: Receipt) {
        let Charged { amount, stamp } = receipt.charged;
        self.0.plane.refund(subject.fingerprint, stamp, amount, self.0.now());
    }

    fn report(&self, subject: Subject) -> Report {
        match self.0.plans.load().of(subject.override_of) {
            Override::Plan(plan) => self.0.report(subject, &plan),
            Override::Unlimited | Override::Blocked => BLOCKED.report,
        }
    }

    fn forget(&self, subject: Subject) {
        self.0.plane.forget(subject.fingerprint);
    }

    fn grant(&self, _subject: Subject, _tokens: u64) {}

    fn replace(&self, default: Quota, overrides: Vec<(u64, Limit)>) -> Result<(), ConfigError> {
        let plans = Plans::new(default, overrides, Some(TimeBase::Monotonic))?;
        self.0.plans.store(Arc::new(plans));
        Ok(())
    }

    fn figures(&self) -> Figures {
        let table = self.0.plane.table();
        let counts = self.0.plane.counts();
        let store = StoreFigures {
            name: self.0.store.name(),
            mode: "leased",
            circuit: self.0.plane.store_state().as_str(),
            calls: counts.calls.load(Ordering::Relaxed),
            failures: counts.failures.load(Ordering::Relaxed),
            leased: counts.leased.load(Ordering::Relaxed),
            returned: counts.returned.load(Ordering::Relaxed),
            fallback: counts.fallback.load(Ordering::Relaxed),
        };
        Figures {
            limited_keys: table.limited_keys(self.0.now()),
            overflowed: table.overflowed(),
            memory: table.memory(),
            store: Some(store),
        }
    }
}

impl fmt::Debug for Leased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leased").field("store", &self.0.store).finish_non_exhaustive()
    }
}
