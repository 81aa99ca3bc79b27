use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use obs_core::circuit::Permit;
use obs_core::clock::Clock;
use obs_core::config::ConfigError;
use obs_core::random::Random;

use super::place_cell::{PlaceCell, Room, WantedPlaces};
use super::{Chore, Counts, Gate, LeaseConfig, NameOf, OnStoreFailure, Plane, Step, Time};
use crate::local::{Place, Standing, Table};
use crate::store::{Grant, Hold, Store, StoreError, StoreFuture, StoreKey};

/// Leases of places: of limits on what runs at the same time.
#[derive(Debug)]
pub(crate) struct PlacePlane {
    config: LeaseConfig,
    /// For keys without a cell of their own, and beyond the budget of calls.
    share_config: LeaseConfig,
    table: Table<PlaceCell>,
    gate: Gate,
    random: Random,
    /// This node, among those that hold places.
    holder: u64,
    turn: AtomicU64,
    /// Keys with places to look after: their names in the store and their limits.
    live: Mutex<HashMap<u64, (StoreKey, u64)>>,
}

/// A call for places.
#[derive(Debug)]
pub(crate) struct AskForPlaces {
    hold: Hold,
    wanted: WantedPlaces,
    fingerprint: u64,
    asked_at: u64,
    permit: Permit,
}

impl PlacePlane {
    pub(crate) fn new(
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
            gate: Gate::new(&config, clock, random.next_u64())?,
            holder: random.next_u64(),
            random,
            turn: AtomicU64::new(0),
            live: Mutex::default(),
        })
    }

    fn room<'a>(&'a self, config: &'a LeaseConfig, limit: u64, now: u64) -> Room<'a> {
        Room { config, limit, now, random: &self.random }
    }

    fn ask(
        &self,
        fingerprint: u64,
        name: StoreKey,
        limit: u64,
        wanted: WantedPlaces,
        permit: Permit,
        now: u64,
    ) -> AskForPlaces {
        let hold = Hold {
            key: name,
            limit,
            holder: self.holder,
            turn: self.turn.fetch_add(1, Ordering::Relaxed) + 1,
            keep: wanted.keep,
            want: wanted.want,
            least: wanted.least,
            valid_for: self.config.place_age,
        };
        AskForPlaces { hold, wanted, fingerprint, asked_at: now, permit }
    }

    fn note(&self, step: Step) -> Step {
        if step.fallback().is_some() {
            Counts::add(&self.gate.counts().fallback, 1);
        }
        step
    }

    fn live(&self) -> std::sync::MutexGuard<'_, HashMap<u64, (StoreKey, u64)>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the places of one key need now; `None` for nothing.
    fn chore(
        &self,
        fingerprint: u64,
        (name, limit): (StoreKey, u64),
        now: u64,
        all: bool,
    ) -> Option<Chore<AskForPlaces>> {
        let wanted = self.table.revisit(fingerprint, now, Place::Own, |cell, now| {
            let room = self.room(&self.config, limit, now);
            cell.look_after(&room, all).map(|wanted| (wanted, now))
        });
        let (wanted, asked_at) = wanted.flatten()?;
        let Some(permit) = self.gate.permit() else {
            self.table.revisit(fingerprint, now, Place::Own, |cell, now| {
                cell.failed(&self.room(&self.config, limit, now));
            });
            return None;
        };
        Some(Chore::Ask(self.ask(fingerprint, name, limit, wanted, permit, asked_at)))
    }
}

impl Plane for PlacePlane {
    type Plan = u64;
    type Ask = AskForPlaces;

    fn gate(&self) -> &Gate {
        &self.gate
    }

    fn spend(
        &self,
        fingerprint: u64,
        name: NameOf<'_>,
        limit: &u64,
        cost: u64,
        time: Time<'_>,
    ) -> (Step, Option<AskForPlaces>) {
        let (step, wanted) = self.table.with(fingerprint, (time.exact)(), |cell, now, place| {
            let now = *now;
            let room = self.room(&self.config, *limit, now);
            let share = Room { config: &self.share_config, ..room };
            if place == Place::Shared {
                return (cell.fall_back(&share, cost).at(place), None);
            }
            let (step, wanted) = cell.spend(&room, cost);
            let Some(wanted) = wanted else { return (step, None) };
            if !self.gate.may_call(now) {
                cell.not_asked();
                return (cell.fall_back(&share, cost), None);
            }
            match self.gate.permit() {
                Some(permit) => (step, Some((wanted, permit, now))),
                None => {
                    cell.failed(&room);
                    (cell.fall_back(&room, cost), None)
                }
            }
        });
        let ask = wanted.map(|(wanted, permit, asked_at)| {
            self.ask(fingerprint, name(), *limit, wanted, permit, asked_at)
        });
        (self.note(step), ask)
    }

    fn give_up(&self, fingerprint: u64, limit: &u64, cost: u64, since: u64, now: u64) -> Step {
        self.note(self.table.with(fingerprint, now, |cell, now, place| {
            cell.give_up(&self.room(&self.config, *limit, *now), cost, since).at(place)
        }))
    }

    fn fingerprint(ask: &AskForPlaces) -> u64 {
        ask.fingerprint
    }

    fn send(&self, ask: &AskForPlaces, store: &dyn Store) -> StoreFuture<Grant> {
        store.hold(ask.hold)
    }

    fn complete(&self, ask: AskForPlaces, result: &Result<Grant, StoreError>, now: u64) {
        self.gate.settle(ask.permit, result, now.saturating_sub(ask.asked_at));
        let Hold { key, limit, .. } = ask.hold;
        self.table.revisit(ask.fingerprint, now, Place::Own, |cell, now| {
            let room = self.room(&self.config, limit, now);
            match result {
                Ok(grant) => cell.granted(&room, ask.asked_at, &ask.wanted, grant.tokens),
                Err(_) => cell.failed(&room),
            }
        });
        if let Ok(grant) = result
            && grant.tokens > 0
        {
            Counts::add(&self.gate.counts().leased, grant.tokens);
            self.live().insert(ask.fingerprint, (key, limit));
        }
    }

    fn chores(&self, now: u64, all: bool) -> Vec<Chore<AskForPlaces>> {
        let mut due = Vec::new();
        self.live().retain(|fingerprint, named| {
            let (cell, now) = self.table.read(*fingerprint, now);
            due.push((*fingerprint, *named));
            !cell.is_idle(now)
        });
        due.into_iter()
            .filter_map(|(fingerprint, named)| self.chore(fingerprint, named, now, all))
            .collect()
    }

    fn has_leases(&self) -> bool {
        !self.live().is_empty()
    }

    fn pause(&self) -> Duration {
        self.config.target.max(Duration::from_millis(1))
    }

    fn refund(&self, fingerprint: u64, place: Place, _stamp: u64, cost: u64, now: u64) {
        self.table.revisit(fingerprint, now, place, |cell, _| cell.end(cost));
    }

    /// What has ended takes no place.
    fn debit(&self, _fingerprint: u64, _cost: u64, _now: u64) -> u64 {
        0
    }

    fn owe(&self, _fingerprint: u64, _cost: u64, _now: u64) {}

    fn standing(&self, fingerprint: u64, limit: &u64, now: u64) -> Standing {
        let (cell, now) = self.table.read(fingerprint, now);
        cell.standing(*limit, now)
    }

    /// Requests that run keep their places; what the store said is forgotten.
    fn forget(&self, fingerprint: u64) {
        self.wake(fingerprint, 0);
    }

    fn wake(&self, fingerprint: u64, now: u64) {
        self.table.revisit(fingerprint, now, Place::Own, |cell, _| cell.wake());
    }

    fn table(&self, now: u64) -> (usize, u64, usize) {
        (self.table.limited_keys(now), self.table.overflowed(), self.table.memory())
    }
}
