use obs_core::random::Random;

use super::LeaseConfig;
use super::config::OnStoreFailure;
use super::step::{Fallback, Step};
use crate::local::{Slot, Standing, Wait};

/// The places of one key on one node.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PlaceCell {
    /// Places that running requests take.
    running: u32,
    /// The most that were taken since the last look.
    peak: u32,
    /// Places that the store holds for this node, until `expires`.
    held: u32,
    /// What it held when it last answered.
    last_held: u32,
    /// Requests that found no place since the last call.
    missed: u32,
    expires: u64,
    last_answer_at: u64,
    /// When the call under way was made; 0 without one.
    asked_at: u64,
    /// No asking before this time.
    hold_until: u64,
    /// Without the store until this time.
    fallback_until: u64,
}

/// What a cell decides by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room<'a> {
    pub(crate) config: &'a LeaseConfig,
    pub(crate) limit: u64,
    pub(crate) now: u64,
    pub(crate) random: &'a Random,
}

/// A call that a cell wants to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WantedPlaces {
    pub(crate) keep: u64,
    pub(crate) want: u64,
    pub(crate) least: u64,
}

const MILLI: u64 = 1_000_000;

impl PlaceCell {
    /// Takes places for a request, and says what to ask the store for.
    pub(crate) fn spend(&mut self, room: &Room<'_>, cost: u64) -> (Step, Option<WantedPlaces>) {
        let now = room.now;
        if cost > room.limit {
            return (Step::Refuse { wait: Wait::Never, fallback: None }, None);
        }
        if self.running_with(cost) <= self.live(now) {
            self.run(cost);
            return (Step::pass(0), None);
        }
        if now < self.fallback_until {
            return (self.fall_back(room, cost), None);
        }
        if now < self.hold_until {
            return (Step::Refuse { wait: Wait::Unknown, fallback: None }, None);
        }
        self.missed = self.missed.saturating_add(cost as u32);
        (Step::Await, self.ask(room, cost))
    }

    /// Decides about a request that has waited since then. As long as the store answers, no more
    /// run than it gives places.
    pub(crate) fn give_up(&mut self, room: &Room<'_>, cost: u64, since: u64) -> Step {
        if self.last_answer_at >= since {
            return Step::Refuse { wait: Wait::Unknown, fallback: None };
        }
        self.fall_back(room, cost)
    }

    /// Decides without the store.
    pub(crate) fn fall_back(&mut self, room: &Room<'_>, cost: u64) -> Step {
        let action = room.config.on_store_failure;
        let share = (room.limit / u64::from(room.config.max_nodes)).max(1);
        let (places, step) = match action {
            OnStoreFailure::Closed => {
                let wait = Wait::Nanos(1_000 * MILLI);
                return Step::Refuse { wait, fallback: Some(Fallback::Closed) };
            }
            OnStoreFailure::ReuseLast { max_age } if self.answered_within(room.now, max_age) => {
                (share.max(self.last_held.into()).min(room.limit), Fallback::Reuse)
            }
            _ => (share, Fallback::Share),
        };
        if self.running_with(cost) <= places {
            self.run(cost);
            Step::pass_by(step)
        } else if action == OnStoreFailure::Open {
            self.run(cost);
            Step::pass_by(Fallback::Open)
        } else {
            Step::Refuse { wait: Wait::Unknown, fallback: Some(step) }
        }
    }

    /// The store has answered a call made at `asked_at`.
    pub(crate) fn granted(
        &mut self,
        room: &Room<'_>,
        asked_at: u64,
        wanted: &WantedPlaces,
        added: u64,
    ) {
        self.asked_at = 0;
        self.fallback_until = 0;
        self.held = u32::try_from(wanted.keep.saturating_add(added)).unwrap_or(u32::MAX);
        self.last_held = self.held;
        self.last_answer_at = room.now;
        // It ages from before it was given, which errs on the safe side.
        self.expires = asked_at.saturating_add(place_age(room.config));
        if added < wanted.want {
            self.hold_until = room.now.saturating_add(pause(room) / 2);
        }
    }

    /// The store has failed, or must not be called.
    pub(crate) fn failed(&mut self, room: &Room<'_>) {
        self.asked_at = 0;
        self.fallback_until = room.now.saturating_add(pause(room));
    }

    /// The call that was wanted cannot be made after all.
    pub(crate) fn not_asked(&mut self) {
        self.asked_at = 0;
    }

    /// A request has ended.
    pub(crate) fn end(&mut self, cost: u64) {
        self.running = self.running.saturating_sub(u32::try_from(cost).unwrap_or(u32::MAX));
    }

    /// Looks after the lease: lets go of places that nobody took since the last look, and renews
    /// the others in good time. All that is not taken goes if `all`.
    pub(crate) fn look_after(&mut self, room: &Room<'_>, all: bool) -> Option<WantedPlaces> {
        let taken = if all { self.running } else { self.peak.max(self.running) };
        self.peak = self.running;
        if self.asked_at > 0 {
            return None;
        }
        let live = self.live(room.now);
        let is_idle = live == 0 && taken == 0;
        let is_due = room.now.saturating_add(place_age(room.config) * 2 / 3) >= self.expires;
        if is_idle || (u64::from(taken) >= live && !is_due) {
            return None;
        }
        // What is let go is gone at once: the store may give it to another node.
        self.held = self.held.min(taken);
        self.asked_at = room.now;
        Some(WantedPlaces { keep: taken.into(), want: 0, least: 0 })
    }

    /// Whether there is nothing to look after.
    pub(crate) fn is_idle(&self, now: u64) -> bool {
        self.running == 0 && self.live(now) == 0 && self.asked_at == 0
    }

    /// The store may have places again.
    pub(crate) fn wake(&mut self) {
        self.hold_until = 0;
    }

    pub(crate) fn standing(&self, limit: u64, now: u64) -> Standing {
        let remaining = match self.live(now) {
            0 => limit.saturating_sub(self.running.into()),
            held => held.saturating_sub(self.running.into()),
        };
        Standing { remaining: remaining.min(limit), more_in: 0 }
    }

    fn ask(&mut self, room: &Room<'_>, cost: u64) -> Option<WantedPlaces> {
        if self.asked_at > 0 {
            return None;
        }
        self.asked_at = room.now;
        // What runs holds its place, even if the lease of it is over.
        let keep = self.live(room.now).max(self.running.into());
        let ahead = u64::from(self.running / 2);
        let want = ahead.max(std::mem::take(&mut self.missed).into()).max(cost);
        let spare = keep - u64::from(self.running);
        let want = want.saturating_sub(spare).clamp(1, room.limit);
        Some(WantedPlaces { keep, want, least: cost.saturating_sub(spare).clamp(1, want) })
    }

    fn run(&mut self, cost: u64) {
        self.running = self.running.saturating_add(cost as u32);
        self.peak = self.peak.max(self.running);
    }

    fn running_with(&self, cost: u64) -> u64 {
        u64::from(self.running).saturating_add(cost)
    }

    fn live(&self, now: u64) -> u64 {
        if now < self.expires { self.held.into() } else { 0 }
    }

    fn answered_within(&self, now: u64, time: std::time::Duration) -> bool {
        let since = u128::from(now.saturating_sub(self.last_answer_at));
        self.last_answer_at > 0 && since <= time.as_nanos()
    }
}

fn place_age(config: &LeaseConfig) -> u64 {
    u64::try_from(config.place_age.as_nanos()).unwrap_or(u64::MAX)
}

/// Some time near the target of a lease, so that nodes do not ask together.
fn pause(room: &Room<'_>) -> u64 {
    let target = u64::try_from(room.config.target.as_nanos()).unwrap_or(u64::MAX);
    target / 2 + (room.random.next_u64() % target.max(1))
}

impl Slot for PlaceCell {
    fn is_fresh(&self, now: u64) -> bool {
        self.is_idle(now) && now >= self.hold_until && now >= self.fallback_until
    }
}
