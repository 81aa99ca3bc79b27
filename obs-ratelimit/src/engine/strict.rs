use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use obs_core::circuit::{CircuitBreaker, CircuitBreakerConfig, OpenWait, SlidingWindow};
use obs_core::config::ConfigError;
use obs_core::outcome::Outcome;
use tokio::time::timeout;

use super::keyed::{BLOCKED, Override, PlanOf, Plans};
use super::{
    Engine, Figures, Reason, Receipt, Refused, Report, SharedKey, Spent, StoreFigures, Subject,
    Timer, Waiting,
};
use crate::lease::{Fallback, LeaseConfig, OnStoreFailure, share};
use crate::local::{BucketCell, Cell, Charged, Place, Standing, Table, TimeBase, Wait};
use crate::overrides::Limit;
use crate::quota::{BucketPlan, Quota};
use crate::store::{
    GiveBack, Grant, SharedBucket, Store, StoreError, StoreErrorKind, StoreKey, Take,
};

/// A limit that asks the store about every request.
#[derive(Clone)]
pub(crate) struct Strict(Arc<Shared>);

struct Shared {
    store: Arc<dyn Store>,
    config: LeaseConfig,
    plans: ArcSwap<Plans<BucketPlan>>,
    timer: Arc<Timer>,
    breaker: CircuitBreaker,
    /// This node's share of each key, for when there is no store.
    shares: Table<BucketCell>,
    calls: AtomicU64,
    failures: AtomicU64,
    fallback: AtomicU64,
}

impl Strict {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        config: LeaseConfig,
        quota: Quota,
        overrides: Vec<(u64, Limit)>,
        max_keys: usize,
        timer: Arc<Timer>,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        SharedBucket::new(quota)?;
        let circuit = CircuitBreakerConfig::new()
            .sliding_window(SlidingWindow::Time(Duration::from_secs(10)))
            .minimum_number_of_calls(20)
            .without_slow_calls()
            .consecutive_failures_threshold(5)
            .permitted_calls_in_half_open(1)
            .open_wait(OpenWait::exponential(Duration::from_secs(1), Duration::from_secs(30)));
        let breaker = CircuitBreaker::builder("rate_limit_store").config(circuit);
        Ok(Self(Arc::new(Shared {
            store,
            config,
            plans: ArcSwap::from_pointee(Plans::new(quota, overrides, Some(TimeBase::Monotonic))?),
            breaker: breaker.clock(timer.clock.clone()).build()?,
            timer,
            shares: Table::new(max_keys),
            calls: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            fallback: AtomicU64::new(0),
        })))
    }
}

impl Shared {
    async fn ask(&self, take: Take) -> Result<Grant, StoreError> {
        let unavailable = |_| StoreError::new(StoreErrorKind::Unavailable);
        let permit = self.breaker.try_acquire().map_err(unavailable)?;
        self.calls.fetch_add(1, Ordering::Relaxed);
        let result = timeout(self.config.store_timeout, self.store.take(take)).await;
        let result = result.unwrap_or_else(|_| Err(StoreError::new(StoreErrorKind::Timeout)));
        match &result {
            Ok(_) => permit.settle(Outcome::Success),
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                match error.kind() {
                    StoreErrorKind::Throttled => permit.release(),
                    _ => permit.settle(Outcome::ServiceError),
                }
            }
        }
        result
    }

    fn fall_back(&self, subject: Subject, plan: &BucketPlan, cost: u64) -> Spent {
        self.fallback.fetch_add(1, Ordering::Relaxed);
        let action = self.config.on_store_failure;
        let report = Report { capacity: plan.capacity(), ..Report::default() };
        let refused = |wait, reason, fallback| {
            Spent::Refused(Refused { wait, reason, report, fallback: Some(fallback) })
        };
        if action == OnStoreFailure::Closed {
            return refused(Wait::Nanos(1_000_000_000), Reason::Closed, Fallback::Closed);
        }
        let part = 1.0 / f64::from(self.config.max_nodes);
        let share = share(plan, part, 1).unwrap_or(*plan);
        let now = self.timer.now(TimeBase::Monotonic);
        let admitted =
            |fallback| Spent::Admitted { receipt: Receipt::default(), report: None, fallback };
        match self
            .shares
            .with(subject.fingerprint, now, |cell, now, _| cell.spend(&share, now, cost))
        {
            Ok(_) => admitted(Some(Fallback::Share)),
            Err(_) if action == OnStoreFailure::Open => admitted(Some(Fallback::Open)),
            Err(wait) => refused(wait, Reason::Limit, Fallback::Share),
        }
    }
}

impl Engine for Strict {
    fn spend(&self, subject: Subject, _: SharedKey<'_>, cost: u64, _report: bool) -> Spent {
        match self.0.plans.load().of(subject.override_of) {
            Override::Unlimited => Spent::Unlimited,
            Override::Blocked => Spent::Refused(BLOCKED),
            Override::Plan(plan) if cost > plan.burst => {
                let report = Report { capacity: plan.capacity(), ..Report::default() };
                let (wait, reason) = (Wait::Never, Reason::Cost);
                Spent::Refused(Refused { wait, reason, report, fallback: None })
            }
            Override::Plan(_) if cost == 0 => Spent::Unlimited,
            Override::Plan(_) => Spent::Await,
        }
    }

    fn wait(&self, subject: Subject, key: StoreKey, cost: u64) -> Waiting<Spent> {
        let shared = self.0.clone();
        Box::pin(async move {
            let Override::Plan(plan) = shared.plans.load().of(subject.override_of) else {
                return Spent::Unlimited;
            };
            let bucket = SharedBucket { plan };
            let take = Take { key, bucket, want: cost, least: cost, debit: 0 };
            let Ok(grant) = shared.ask(take).await else {
                return shared.fall_back(subject, &plan, cost);
            };
            let wait = u64::try_from(grant.wait.as_nanos()).unwrap_or(u64::MAX);
            let step = (plan.period / plan.limit).max(1);
            let more_in = if grant.tokens == 0 { wait.max(1) } else { step };
            let standing = Standing { remaining: grant.remaining, more_in };
            let report = Report { capacity: plan.capacity(), window: plan.window(), standing };
            if grant.tokens == 0 {
                let (wait, reason) = (Wait::Nanos(wait.max(1)), Reason::Limit);
                return Spent::Refused(Refused { wait, reason, report, fallback: None });
            }
            let charged = Charged { amount: cost, stamp: 1 };
            let receipt = Receipt { charged, place: Place::Own, key: Some(key) };
            Spent::Admitted { receipt, report: Some(report), fallback: None }
        })
    }

    /// The store is asked when it is the policy's turn; nothing is known before.
    fn probe(&self, _subject: Subject, _cost: u64) -> Result<(), Refused> {
        Ok(())
    }

    fn debit(&self, _subject: Subject, _cost: u64) {}

    /// Gives the charge back to the store, on its own time.
    fn refund(&self, subject: Subject, receipt: Receipt) {
        let plan = self.0.plans.load().of(subject.override_of);
        let (Override::Plan(plan), Some(key)) = (plan, receipt.key) else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let shared = self.0.clone();
        let back = GiveBack { key, bucket: SharedBucket { plan }, tokens: receipt.charged.amount };
        runtime.spawn(async move {
            let _ = timeout(shared.config.store_timeout, shared.store.give_back(back)).await;
        });
    }

    fn report(&self, subject: Subject) -> Report {
        match self.0.plans.load().of(subject.override_of) {
            Override::Plan(plan) => {
                let standing = Standing { remaining: plan.burst, more_in: 0 };
                Report { capacity: plan.capacity(), window: plan.window(), standing }
            }
            Override::Unlimited | Override::Blocked => BLOCKED.report,
        }
    }

    fn forget(&self, subject: Subject) {
        self.0.shares.forget(subject.fingerprint);
    }

    fn grant(&self, _subject: Subject, _tokens: u64) {}

    fn replace(&self, default: Quota, overrides: Vec<(u64, Limit)>) -> Result<(), ConfigError> {
        let plans = Plans::new(default, overrides, Some(TimeBase::Monotonic))?;
        self.0.plans.store(Arc::new(plans));
        Ok(())
    }

    fn figures(&self) -> Figures {
        let calls = self.0.calls.load(Ordering::Relaxed);
        let store = StoreFigures {
            name: self.0.store.name(),
            mode: "strict",
            circuit: self.0.breaker.state().as_str(),
            calls,
            failures: self.0.failures.load(Ordering::Relaxed),
            fallback: self.0.fallback.load(Ordering::Relaxed),
            ..StoreFigures::default()
        };
        Figures { memory: self.0.shares.memory(), store: Some(store), ..Figures::default() }
    }
}

impl fmt::Debug for Strict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Strict").field("store", &self.0.store).finish_non_exhaustive()
    }
}
