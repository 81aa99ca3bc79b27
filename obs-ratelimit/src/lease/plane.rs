use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use obs_core::circuit::{
    CircuitBreaker, CircuitBreakerConfig, OpenWait, Permit, SlidingWindow, State,
};
use obs_core::clock::Clock;
use obs_core::config::ConfigError;
use obs_core::outcome::Outcome;
use obs_core::random::Random;

use super::bound::silent_plan;
use super::cell::{Fallback, LeaseCell, Scene, Step, Wanted};
use super::{LeaseConfig, OnStoreFailure};
use crate::local::{BucketCell, Cell, Place, Standing, Table};
use crate::quota::BucketPlan;
use crate::store::{GiveBack, Grant, SharedBucket, StoreError, StoreErrorKind, StoreKey, Take};

/// The leases of one policy on one node.
#[derive(Debug)]
pub(crate) struct Plane {
    config: LeaseConfig,
    /// For keys without a cell of their own, and beyond the budget of calls.
    share_config: LeaseConfig,
    table: Table<LeaseCell>,
    usual: (BucketPlan, Option<BucketPlan>),
    breaker: CircuitBreaker,
    calls_plan: BucketPlan,
    calls: Mutex<BucketCell>,
    round_trip: AtomicU64,
    random: Random,
    live: Mutex<VecDeque<Live>>,
    counts: Counts,
}

/// A call that must be made, and whose result the plane must be told.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) take: Take,
    fingerprint: u64,
    asked_at: u64,
    permit: Permit,
}

/// A lease that may have to be returned.
#[derive(Debug)]
struct Live {
    look_at: u64,
    fingerprint: u64,
    key: StoreKey,
    plan: BucketPlan,
}

/// What has happened, in tokens and calls.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) calls: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) leased: AtomicU64,
    pub(crate) returned: AtomicU64,
    pub(crate) fallback: AtomicU64,
}

impl Counts {
    fn add(count: &AtomicU64, by: u64) {
        // Relaxed: figures, not an order.
        count.fetch_add(by, Ordering::Relaxed);
    }
}

/// The round trip assumed before the first: 8 ms.
const FIRST_ROUND_TRIP: u64 = 8_000_000;

impl Plane {
    pub(crate) fn new(
        plan: BucketPlan,
        config: LeaseConfig,
        max_keys: usize,
        clock: Clock,
        random: Random,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        let circuit = CircuitBreakerConfig::new()
            .sliding_window(SlidingWindow::Time(Duration::from_secs(10)))
            .minimum_number_of_calls(20)
            .failure_rate_threshold(50.0)
            .without_slow_calls()
            .consecutive_failures_threshold(5)
            .permitted_calls_in_half_open(1)
            .open_wait(OpenWait::exponential(Duration::from_secs(1), Duration::from_secs(30)));
        let breaker = CircuitBreaker::builder("rate_limit_store").config(circuit).clock(clock);
        let calls = u64::from(config.calls_per_second);
        Ok(Self {
            share_config: config.on_store_failure(OnStoreFailure::ShareLocal),
            config,
            table: Table::new(max_keys),
            usual: (plan, silent_plan(&plan, &config)),
            breaker: breaker.seed(random.next_u64()).build()?,
            calls_plan: BucketPlan::new(calls, Duration::from_secs(1), calls)?,
            calls: Mutex::default(),
            round_trip: AtomicU64::new(FIRST_ROUND_TRIP),
            random,
            live: Mutex::default(),
            counts: Counts::default(),
        })
    }

    pub(crate) const fn config(&self) -> &LeaseConfig {
        &self.config
    }

    pub(crate) const fn counts(&self) -> &Counts {
        &self.counts
    }

    pub(crate) fn store_state(&self) -> State {
        self.breaker.state()
    }

    /// Decides about a request now; a returned [`Ask`] must be made. `key` names the bucket in the
    /// store, and is only asked for when the store is.
    pub(crate) fn spend(
        &self,
        fingerprint: u64,
        key: &dyn Fn() -> StoreKey,
        plan: &BucketPlan,
        cost: u64,
        now: u64,
    ) -> (Step, Option<Ask>) {
        let silent = self.silent_plan(plan);
        let decided = self.table.with(fingerprint, now, |cell, now, place| {
            if place == Place::Shared {
                let scene = self.scene(&self.share_config, plan, silent.as_ref(), now);
                return (cell.fall_back(&scene, cost), None);
            }
            let scene = self.scene(&self.config, plan, silent.as_ref(), now);
            let (step, wanted) = cell.spend(&scene, cost);
            let Some(wanted) = wanted else { return (step, None) };
            if !self.may_call(now) {
                cell.not_asked(wanted);
                let scene = Scene { config: &self.share_config, ..scene };
                let step = if step == Step::Await { cell.fall_back(&scene, cost) } else { step };
                return (step, None);
            }
            match self.breaker.try_acquire() {
                Ok(permit) => (step, Some((wanted, permit, now))),
                Err(_) => {
                    cell.not_asked(wanted);
                    cell.failed(&scene);
                    let step =
                        if step == Step::Await { cell.fall_back(&scene, cost) } else { step };
                    (step, None)
                }
            }
        });
        let (step, wanted) = decided;
        self.note(step);
        let ask = wanted.map(|(wanted, permit, asked_at)| {
            Counts::add(&self.counts.calls, 1);
            let Wanted { want, least, debit } = wanted;
            let bucket = SharedBucket { plan: *plan };
            let take = Take { key: key(), bucket, want, least, debit };
            Ask { take, fingerprint, asked_at, permit }
        });
        (step, ask)
    }

    /// Decides about a request that has waited for the store as long as it may.
    pub(crate) fn fall_back(
        &self,
        fingerprint: u64,
        plan: &BucketPlan,
        cost: u64,
        now: u64,
    ) -> Step {
        let step = self.table.with(fingerprint, now, |cell, now, _| {
            cell.fall_back(&self.scene(&self.config, plan, None, now), cost)
        });
        self.note(step);
        step
    }

    /// Tells the result of a call; whoever waits for the key should ask again.
    pub(crate) fn complete(&self, ask: Ask, result: &Result<Grant, StoreError>, now: u64) {
        self.settle(ask.permit, result, now.saturating_sub(ask.asked_at));
        let plan = ask.take.bucket.plan;
        let leased = self.table.revisit(ask.fingerprint, now, Place::Own, |cell, now| {
            let scene = self.scene(&self.config, &plan, None, now);
            match result {
                Ok(grant) => {
                    cell.granted(&scene, ask.asked_at, ask.take.want, grant);
                    (grant.tokens > 0).then(|| ask.asked_at + cell.age(&scene) / 2)
                }
                Err(_) => {
                    cell.failed(&scene);
                    None
                }
            }
        });
        if let (Ok(grant), Some(Some(look_at))) = (result, leased) {
            Counts::add(&self.counts.leased, grant.tokens);
            let live = Live { look_at, fingerprint: ask.fingerprint, key: ask.take.key, plan };
            self.live().push_back(live);
        }
    }

    /// What leases that are half over will not use, to be given back; all of it if `all`.
    pub(crate) fn returns(&self, now: u64, all: bool) -> Vec<GiveBack> {
        let mut due = Vec::new();
        {
            let mut live = self.live();
            while live.front().is_some_and(|lease| all || lease.look_at <= now) {
                due.extend(live.pop_front());
            }
        }
        let give_back = |lease: Live| {
            let tokens = self.table.revisit(lease.fingerprint, now, Place::Own, |cell, now| {
                cell.surplus(&self.scene(&self.config, &lease.plan, None, now), all)
            })?;
            Counts::add(&self.counts.returned, tokens);
            let bucket = SharedBucket { plan: lease.plan };
            (tokens > 0).then_some(GiveBack { key: lease.key, bucket, tokens })
        };
        due.into_iter().filter_map(give_back).collect()
    }

    /// Whether leases are live that may have to be returned.
    pub(crate) fn has_leases(&self) -> bool {
        !self.live().is_empty()
    }

    pub(crate) fn refund(&self, fingerprint: u64, stamp: u64, cost: u64, now: u64) {
        self.table.revisit(fingerprint, now, Place::Own, |cell, now| cell.refund(now, stamp, cost));
    }

    pub(crate) fn debit(&self, fingerprint: u64, cost: u64, now: u64) {
        self.table.revisit(fingerprint, now, Place::Own, |cell, _| cell.debit(cost));
    }

    pub(crate) fn standing(&self, fingerprint: u64, plan: &BucketPlan, now: u64) -> Standing {
        let (cell, now) = self.table.read(fingerprint, now);
        cell.standing(plan, now)
    }

    #[cfg(feature = "sim")]
    /// Whether the key waits for a call that is under way.
    pub(crate) fn is_asking(&self, fingerprint: u64, now: u64) -> bool {
        self.table.read(fingerprint, now).0.is_asking()
    }

    pub(crate) fn forget(&self, fingerprint: u64) {
        self.table.forget(fingerprint);
    }

    pub(crate) fn table(&self) -> &Table<LeaseCell> {
        &self.table
    }

    fn settle(&self, permit: Permit, result: &Result<Grant, StoreError>, took: u64) {
        match result {
            Ok(_) => {
                permit.settle(Outcome::Success);
                let before = self.round_trip.load(Ordering::Relaxed);
                self.round_trip.store(before - before / 8 + took / 8, Ordering::Relaxed);
            }
            // A store that asks for fewer calls works.
            Err(error) if error.kind() == StoreErrorKind::Throttled => permit.release(),
            Err(_) => permit.settle(Outcome::ServiceError),
        }
        if result.is_err() {
            Counts::add(&self.counts.failures, 1);
        }
    }

    fn may_call(&self, now: u64) -> bool {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.spend(&self.calls_plan, now, 1).is_ok()
    }

    fn note(&self, step: Step) {
        let (Step::Pass { fallback, .. } | Step::Refuse { fallback, .. }) = step else { return };
        if fallback.is_some() {
            Counts::add(&self.counts.fallback, 1);
        }
    }

    fn silent_plan(&self, plan: &BucketPlan) -> Option<BucketPlan> {
        if *plan == self.usual.0 { self.usual.1 } else { silent_plan(plan, &self.config) }
    }

    fn scene<'a>(
        &self,
        config: &'a LeaseConfig,
        plan: &'a BucketPlan,
        silent: Option<&'a BucketPlan>,
        now: u64,
    ) -> Scene<'a> {
        let round_trip = self.round_trip.load(Ordering::Relaxed);
        Scene { config, plan, silent, now, round_trip, chance: self.random.next_f64() }
    }

    fn live(&self) -> std::sync::MutexGuard<'_, VecDeque<Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fallback {
    /// The word in headers, metrics and snapshots.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Reuse => "reuse",
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}
