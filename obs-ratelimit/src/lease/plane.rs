use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use obs_core::circuit::Permit;
use obs_core::clock::Clock;
use obs_core::config::ConfigError;
use obs_core::random::Random;

use super::bound::silent_plan;
use super::cell::LeaseCell;
use super::scene::{Scene, Wanted};
use super::{Chore, Counts, Gate, LeaseConfig, NameOf, OnStoreFailure, Plane, Step, Time};
use crate::local::{Place, Standing, Table};
use crate::quota::{BucketPlan, SharedPlan};
use crate::store::{GiveBack, Grant, SharedQuota, Store, StoreError, StoreFuture, StoreKey, Take};

/// Leases of tokens: of rates, windows and calendar units.
#[derive(Debug)]
pub(crate) struct TokenPlane {
    config: LeaseConfig,
    /// For keys without a cell of their own, and beyond the budget of calls.
    share_config: LeaseConfig,
    table: Table<LeaseCell>,
    usual: (SharedPlan, Option<BucketPlan>),
    gate: Gate,
    random: Random,
    live: Mutex<VecDeque<Live>>,
    generation: AtomicU32,
}

/// A call for a lease.
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
    plan: SharedPlan,
}

impl TokenPlane {
    pub(crate) fn new(
        plan: SharedPlan,
        config: LeaseConfig,
        max_keys: usize,
        clock: Clock,
        random: Random,
    ) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self {
            share_config: config.on_store_failure(OnStoreFailure::ShareLocal),
            config,
            table: Table::new(max_keys),
            usual: (plan, silent_plan(&plan, &config)),
            gate: Gate::new(&config, clock, random.next_u64())?,
            random,
            live: Mutex::default(),
            generation: AtomicU32::new(0),
        })
    }

    #[cfg(feature = "sim")]
    /// Whether the key waits for a call that is under way.
    pub(crate) fn is_asking(&self, fingerprint: u64, now: u64) -> bool {
        self.table.read(fingerprint, now).0.is_asking()
    }

    fn note(&self, step: Step) -> Step {
        if step.fallback().is_some() {
            Counts::add(&self.gate.counts().fallback, 1);
        }
        step
    }

    #[inline]
    fn scene<'a>(&'a self, config: &'a LeaseConfig, plan: &'a SharedPlan, now: u64) -> Scene<'a> {
        let round_trip = self.gate.round_trip();
        // Relaxed: a cell that sees it late decides by the old quota a little longer.
        let generation = self.generation.load(Ordering::Relaxed);
        let (usual, random) = (&self.usual, &self.random);
        Scene { config, plan, usual, now, round_trip, random, generation }
    }

    /// Leave for a call that a cell wants; else the cell decides without it.
    fn permit(
        &self,
        cell: &mut LeaseCell,
        scene: &Scene<'_>,
        step: Step,
        wanted: Wanted,
        cost: u64,
    ) -> (Step, Option<Permit>) {
        let share;
        let scene = if self.gate.may_call(scene.now) {
            if let Some(permit) = self.gate.permit() {
                return (step, Some(permit));
            }
            cell.not_asked(wanted);
            cell.failed(scene);
            scene
        } else {
            cell.not_asked(wanted);
            share = Scene { config: &self.share_config, ..*scene };
            &share
        };
        (if step == Step::Await { cell.fall_back(scene, cost) } else { step }, None)
    }

    fn live(&self) -> std::sync::MutexGuard<'_, VecDeque<Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plane for TokenPlane {
    type Plan = SharedPlan;
    type Ask = Ask;

    fn gate(&self) -> &Gate {
        &self.gate
    }

    #[inline]
    fn spend(
        &self,
        fingerprint: u64,
        name: NameOf<'_>,
        plan: &SharedPlan,
        cost: u64,
        time: Time<'_>,
    ) -> (Step, Option<Ask>) {
        let (step, wanted) = self.table.with(fingerprint, time.tick, |cell, now, place| {
            if place == Place::Own
                && let Some(stamp) = cell.pay(*now, cost)
            {
                return (Step::pass(stamp), None);
            }
            *now = (time.exact)().max(*now);
            if place == Place::Shared {
                let scene = self.scene(&self.share_config, plan, *now);
                return (cell.fall_back(&scene, cost).at(place), None);
            }
            let scene = self.scene(&self.config, plan, *now);
            let (step, wanted) = cell.spend(&scene, cost);
            let Some(wanted) = wanted else { return (step, None) };
            let (step, permit) = self.permit(cell, &scene, step, wanted, cost);
            (step, permit.map(|permit| (wanted, permit, *now)))
        });
        let ask = wanted.map(|(wanted, permit, asked_at)| {
            let Wanted { want, least, debit } = wanted;
            let take = Take { key: name(), quota: SharedQuota { plan: *plan }, want, least, debit };
            Ask { take, fingerprint, asked_at, permit }
        });
        (self.note(step), ask)
    }

    fn give_up(
        &self,
        fingerprint: u64,
        plan: &SharedPlan,
        cost: u64,
        since: u64,
        now: u64,
    ) -> Step {
        self.note(self.table.with(fingerprint, now, |cell, now, place| {
            cell.give_up(&self.scene(&self.config, plan, *now), cost, since).at(place)
        }))
    }

    fn fingerprint(ask: &Ask) -> u64 {
        ask.fingerprint
    }

    fn send(&self, ask: &Ask, store: &dyn Store) -> StoreFuture<Grant> {
        store.take(ask.take)
    }

    fn complete(&self, ask: Ask, result: &Result<Grant, StoreError>, now: u64) {
        self.gate.settle(ask.permit, result, now.saturating_sub(ask.asked_at));
        let plan = ask.take.quota.plan;
        let leased = self.table.revisit(ask.fingerprint, now, Place::Own, |cell, now| {
            let scene = self.scene(&self.config, &plan, now);
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
            Counts::add(&self.gate.counts().leased, grant.tokens);
            let live = Live { look_at, fingerprint: ask.fingerprint, key: ask.take.key, plan };
            self.live().push_back(live);
        }
    }

    /// What leases that are half over will not use, to be given back.
    fn chores(&self, now: u64, all: bool) -> Vec<Chore<Ask>> {
        let mut due = Vec::new();
        {
            let mut live = self.live();
            while live.front().is_some_and(|lease| all || lease.look_at <= now) {
                due.extend(live.pop_front());
            }
        }
        let give_back = |lease: Live| {
            let (tokens, window) =
                self.table.revisit(lease.fingerprint, now, Place::Own, |cell, now| {
                    cell.surplus(&self.scene(&self.config, &lease.plan, now), all)
                })?;
            Counts::add(&self.gate.counts().returned, tokens);
            let quota = SharedQuota { plan: lease.plan };
            let back = GiveBack { key: lease.key, quota, tokens, window };
            (tokens > 0).then_some(Chore::GiveBack(back))
        };
        due.into_iter().filter_map(give_back).collect()
    }

    fn has_leases(&self) -> bool {
        !self.live().is_empty()
    }

    fn pause(&self) -> Duration {
        (self.config.target / 2).max(Duration::from_millis(1))
    }

    fn refund(&self, fingerprint: u64, place: Place, stamp: u64, cost: u64, now: u64) {
        self.table.revisit(fingerprint, now, place, |cell, now| cell.refund(now, stamp, cost));
    }

    fn debit(&self, fingerprint: u64, cost: u64, now: u64) -> u64 {
        let debit = |cell: &mut LeaseCell, now| cell.debit(now, cost);
        self.table.revisit(fingerprint, now, Place::Own, debit).unwrap_or(cost)
    }

    fn owe(&self, fingerprint: u64, cost: u64, now: u64) {
        self.table.revisit(fingerprint, now, Place::Own, |cell, _| cell.owe(cost));
    }

    fn standing(&self, fingerprint: u64, plan: &SharedPlan, now: u64) -> Standing {
        let (cell, now) = self.table.read(fingerprint, now);
        cell.standing(plan, now)
    }

    fn forget(&self, fingerprint: u64) {
        self.table.forget(fingerprint);
    }

    fn wake(&self, fingerprint: u64, now: u64) {
        self.table.revisit(fingerprint, now, Place::Own, |cell, _| cell.wake());
    }

    fn replaced(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    fn table(&self, now: u64) -> (usize, u64, usize) {
        (self.table.limited_keys(now), self.table.overflowed(), self.table.memory())
    }
}
