use std::sync::Arc;

use obs_core::config::ConfigError;

use super::{Core, Method, OverStore, in_background, within};
use crate::engine::plans::PlanOf;
use crate::engine::{Engine, Reason, Receipt, Refused, Report, Spent, Subject, Tell, Waiting};
use crate::lease::{Counts, Fallback, Gate, LeaseConfig, NameOf, OnStoreFailure};
use crate::local::{BucketCell, Cell, Charged, Place, Standing, Table, Timer, Wait};
use crate::overrides::Limit;
use crate::quota::{Plan, Quota, SharedPlan};
use crate::store::{
    GiveBack, Grant, SharedQuota, Store, StoreError, StoreErrorKind, StoreFuture, StoreKey, Take,
};

/// The engine of a policy that asks the store about every request.
pub(crate) fn strict(
    store: Arc<dyn Store>,
    config: LeaseConfig,
    quota: Quota,
    overrides: Vec<(u64, Limit)>,
    max_keys: usize,
    timer: Arc<Timer>,
) -> Result<Box<dyn Engine>, ConfigError> {
    config.check()?;
    if let Plan::Concurrency(_) = quota.plan()? {
        let rule = "must be leased: a place that a request holds has to be renewed while it runs, \
                    which is what a lease is, and leases of places never exceed the limit";
        return Err(ConfigError::new("quota", format_args!("{quota:?}"), rule));
    }
    let seed = obs_core::random::Random::system().next_u64();
    let gate = Gate::new(&config, timer.clock.clone(), seed)?;
    let method = Strict { gate, shares: Table::new(max_keys) };
    Ok(Box::new(OverStore::new(method, store, config, quota, overrides, timer)?))
}

/// Decides by asking.
struct Strict {
    gate: Gate,
    /// This node's share of each key, for when there is no store.
    shares: Table<BucketCell>,
}

impl Core<Strict> {
    async fn ask(&self, take: Take) -> Result<Grant, StoreError> {
        let unavailable = || StoreError::new(StoreErrorKind::Unavailable);
        let permit = self.method.gate.permit().ok_or_else(unavailable)?;
        let asked_at = self.now();
        let result = within(self.config.store_timeout, self.store.take(take)).await;
        self.method.gate.settle(permit, &result, self.now().saturating_sub(asked_at));
        result
    }

    fn fall_back(&self, subject: Subject, plan: &SharedPlan, cost: u64) -> Spent {
        Counts::add(&self.method.gate.counts().fallback, 1);
        let action = self.config.on_store_failure;
        let report = Report { capacity: plan.capacity(), ..Report::default() };
        let refused = |wait, reason, fallback| {
            Spent::Refused(Refused { wait, reason, report, fallback: Some(fallback) })
        };
        if action == OnStoreFailure::Closed {
            return refused(Wait::Nanos(1_000_000_000), Reason::Closed, Fallback::Closed);
        }
        let share = plan.share_of_at_least_one(1.0 / f64::from(self.config.max_nodes));
        let now = self.now();
        let admitted =
            |fallback| Spent::Admitted { receipt: Receipt::default(), report: None, fallback };
        let shares = &self.method.shares;
        match shares.with(subject.fingerprint, now, |cell, now, _| cell.spend(&share, *now, cost)) {
            Ok(_) => admitted(Some(Fallback::Share)),
            Err(_) if action == OnStoreFailure::Open => admitted(Some(Fallback::Open)),
            Err(wait) => refused(wait, Reason::Limit, Fallback::Share),
        }
    }

    fn answer(&self, plan: &SharedPlan, cost: u64, grant: &Grant) -> Spent {
        let standing = standing_of(plan, grant);
        let report = Report { capacity: plan.capacity(), window: plan.window(), standing };
        if grant.tokens == 0 {
            let (wait, reason) = (Wait::Nanos(nanos(grant.wait).max(1)), Reason::Limit);
            return Spent::Refused(Refused { wait, reason, report, fallback: None });
        }
        // A stamp of 0 is a charge that no store knows of.
        let charged = Charged { amount: cost, stamp: grant.window.max(1) };
        let receipt = Receipt { charged, place: Place::Own };
        Spent::Admitted { receipt, report: Some(report), fallback: None }
    }
}

impl Method for Strict {
    type Plan = SharedPlan;

    const NAME: &'static str = "strict";

    fn gate(&self) -> &Gate {
        &self.gate
    }

    fn spend(
        _: &Arc<Core<Self>>,
        _: Subject,
        _: NameOf<'_>,
        plan: &SharedPlan,
        cost: u64,
        _: Tell,
    ) -> Spent {
        if cost <= plan.capacity() {
            return Spent::Await;
        }
        let report = Report { capacity: plan.capacity(), ..Report::default() };
        let (wait, reason) = (Wait::Never, Reason::Cost);
        Spent::Refused(Refused { wait, reason, report, fallback: None })
    }

    fn wait(
        core: Arc<Core<Self>>,
        subject: Subject,
        name: StoreKey,
        plan: SharedPlan,
        cost: u64,
    ) -> Waiting<Spent> {
        Box::pin(async move {
            let take = Take { least: cost, ..Take::new(name, SharedQuota { plan }, cost) };
            match core.ask(take).await {
                Ok(grant) => core.answer(&plan, cost, &grant),
                Err(_) => core.fall_back(subject, &plan, cost),
            }
        })
    }

    fn standing(&self, _: Subject, _: &SharedPlan, _: u64) -> Option<Standing> {
        None
    }

    fn debit(core: &Arc<Core<Self>>, _: Subject, name: NameOf<'_>, plan: &SharedPlan, cost: u64) {
        let (core, name, quota) = (core.clone(), name(), SharedQuota { plan: *plan });
        in_background(async move {
            let _ = core.ask(Take { debit: cost, ..Take::new(name, quota, 0) }).await;
        });
    }

    /// Gives the charge back to the store, on its own time, and once.
    fn refund(
        core: &Arc<Core<Self>>,
        _: Subject,
        name: Option<StoreKey>,
        plan: &SharedPlan,
        receipt: Receipt,
    ) {
        let Charged { amount: tokens, stamp } = receipt.charged;
        let (Some(key), true) = (name, stamp > 0) else { return };
        let window = if plan.is_window() { stamp } else { 0 };
        let back = GiveBack { key, quota: SharedQuota { plan: *plan }, tokens, window };
        let core = core.clone();
        in_background(async move {
            let _ = within(core.config.store_timeout, core.store.give_back(back)).await;
        });
    }

    fn forget(&self, subject: Subject) {
        self.shares.forget(subject.fingerprint);
    }

    fn look(store: &dyn Store, name: StoreKey, plan: &SharedPlan) -> StoreFuture<Standing> {
        look(store, name, plan)
    }

    fn give(
        store: Arc<dyn Store>,
        name: StoreKey,
        plan: SharedPlan,
        tokens: u64,
    ) -> StoreFuture<()> {
        give(store, name, plan, tokens)
    }

    fn table(&self, now: u64) -> (usize, u64, usize) {
        (self.shares.limited_keys(now), self.shares.overflowed(), self.shares.memory())
    }
}

/// What the store says of a key of tokens.
pub(super) fn look(store: &dyn Store, name: StoreKey, plan: &SharedPlan) -> StoreFuture<Standing> {
    let plan = *plan;
    let answer = store.take(Take::new(name, SharedQuota { plan }, 0));
    Box::pin(async move { Ok(standing_of(&plan, &answer.await?)) })
}

/// Gives tokens back to the bucket, or to the window that runs.
pub(super) fn give(
    store: Arc<dyn Store>,
    name: StoreKey,
    plan: SharedPlan,
    tokens: u64,
) -> StoreFuture<()> {
    let quota = SharedQuota { plan };
    let answer = store.take(Take::new(name, quota, 0));
    Box::pin(async move {
        let Grant { window, remaining, .. } = answer.await?;
        // No more than is missing: a window that a return does not fit into takes none of it.
        let tokens = tokens.min(plan.capacity().saturating_sub(remaining));
        if tokens == 0 {
            return Ok(());
        }
        store.give_back(GiveBack { key: name, quota, tokens, window }).await
    })
}

fn standing_of(plan: &SharedPlan, grant: &Grant) -> Standing {
    let more_in = match grant.remaining {
        remaining if remaining >= plan.capacity() => 0,
        _ if grant.tokens == 0 && !grant.wait.is_zero() => nanos(grant.wait),
        _ if plan.is_window() => nanos(grant.valid_for),
        _ => plan.step(),
    };
    Standing { remaining: grant.remaining, more_in }
}

fn nanos(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
