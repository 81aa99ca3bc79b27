use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU32;
use std::task::Waker;
use std::time::Duration;

use obs_core::clock::Instant;
use obs_core::deadline::Deadline;

use super::Order;
use crate::priority::Priority;

/// Who waits, and what each share has in flight. Everything here happens under one lock.
#[derive(Debug)]
pub(super) struct Queue {
    waiters: Vec<Option<Waiter>>,
    free: Vec<usize>,
    waiting: usize,
    shares: HashMap<Option<u64>, Share>,
    next_turn: u64,
}

#[derive(Debug)]
struct Share {
    in_flight: u32,
    weight: u32,
    /// Who waits, by priority, each in the order of coming.
    lines: [VecDeque<usize>; Priority::ALL.len()],
}

impl Share {
    fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.lines.iter().all(VecDeque::is_empty)
    }
}

#[derive(Debug)]
struct Waiter {
    claim: Claim,
    since: Instant,
    turn: u64,
    state: WaiterState,
    waker: Option<Waker>,
}

/// What a call asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) share: Option<ShareKey>,
    pub(super) priority: Priority,
    pub(super) deadline: Option<Deadline>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct ShareKey {
    pub(super) key: u64,
    pub(super) weight: NonZeroU32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WaiterState {
    Waiting,
    Granted,
    /// Too little time is left to do the work.
    TooLate,
}

/// The rules by which the next one is chosen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) per_share: u32,
    pub(super) order: Order,
    pub(super) starvation: Duration,
    pub(super) service_time: Duration,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            waiters: Vec::new(),
            free: Vec::new(),
            waiting: 0,
            shares: HashMap::new(),
            next_turn: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting
    }

    pub(super) fn shares(&self) -> usize {
        self.shares.keys().filter(|key| key.is_some()).count()
    }

    pub(super) fn has_room_in(&self, share: Option<ShareKey>, per_share: u32) -> bool {
        let in_flight = |key| self.shares.get(&Some(key)).map_or(0, |share| share.in_flight);
        share.is_none_or(|share| in_flight(share.key) < per_share)
    }

    pub(super) fn enter(&mut self, share: Option<ShareKey>) {
        if share.is_some() {
            self.share(share).in_flight += 1;
        }
    }

    pub(super) fn leave(&mut self, share: Option<ShareKey>) {
        self.change(share, |share| share.in_flight = share.in_flight.saturating_sub(1));
    }

    fn share(&mut self, key: Option<ShareKey>) -> &mut Share {
        let weight = key.map_or(1, |key| key.weight.get());
        let share = self.shares.entry(key.map(|key| key.key)).or_insert_with(|| Share {
            in_flight: 0,
            weight,
            lines: Default::default(),
        });
        share.weight = weight;
        share
    }

    /// Changes a share, and forgets it when nothing of it is left: keys that somebody makes up
    /// take no more room than the calls that carry them.
    fn change(&mut self, key: Option<ShareKey>, change: impl FnOnce(&mut Share)) {
        let key = key.map(|key| key.key);
        if let Some(share) = self.shares.get_mut(&key) {
            change(share);
            if share.is_idle() {
                self.shares.remove(&key);
            }
        }
    }

    pub(super) fn push(&mut self, claim: Claim, now: Instant) -> usize {
        let turn = self.next_turn;
        self.next_turn += 1;
        let state = WaiterState::Waiting;
        let waiter = Some(Waiter { claim, since: now, turn, state, waker: None });
        let index = match self.free.pop() {
            Some(index) => {
                self.waiters[index] = waiter;
                index
            }
            None => {
                self.waiters.push(waiter);
                self.waiters.len() - 1
            }
        };
        self.waiting += 1;
        self.share(claim.share).lines[claim.priority as usize].push_back(index);
        index
    }

    /// What became of a waiter; a present one leaves `waker` to be woken by.
    pub(super) fn poll(&mut self, index: usize, waker: &Waker) -> WaiterState {
        let Some(waiter) = &mut self.waiters[index] else { return WaiterState::TooLate };
        if waiter.state == WaiterState::Waiting {
            match &mut waiter.waker {
                Some(known) => known.clone_from(waker),
                None => waiter.waker = Some(waker.clone()),
            }
        }
        waiter.state
    }

    /// Takes a waiter out, whatever became of it.
    pub(super) fn remove(&mut self, index: usize) -> WaiterState {
        let Some(waiter) = self.waiters[index].take() else { return WaiterState::TooLate };
        self.free.push(index);
        if waiter.state == WaiterState::Waiting {
            self.leave_line(waiter.claim, index, false);
        }
        waiter.state
    }

    /// Grants the next waiter and returns who to wake; `Err` if nobody may run.
    ///
    /// Waiters whose rest is shorter than a call takes are told so on the way, and put into `late`.
    pub(super) fn grant(
        &mut self,
        now: Instant,
        rules: Rules,
        late: &mut Vec<Waker>,
    ) -> Result<Option<Waker>, ()> {
        loop {
            let (index, claim) = self.next(now, rules).ok_or(())?;
            let is_late = claim
                .deadline
                .is_some_and(|deadline| deadline.remaining(now) <= rules.service_time);
            self.leave_line(claim, index, !is_late);
            let waiter = self.waiters[index].as_mut().ok_or(())?;
            let waker = waiter.waker.take();
            if !is_late {
                waiter.state = WaiterState::Granted;
                return Ok(waker);
            }
            waiter.state = WaiterState::TooLate;
            late.extend(waker);
        }
    }

    fn leave_line(&mut self, claim: Claim, index: usize, granted: bool) {
        self.waiting -= 1;
        self.change(claim.share, |share| {
            let line = &mut share.lines[claim.priority as usize];
            if let Some(place) = line.iter().position(|waiting| *waiting == index) {
                line.remove(place);
            }
            share.in_flight += u32::from(granted && claim.share.is_some());
        });
    }

    /// The best of each share that has room, and of those the best: a walk over the shares that
    /// wait, not over the calls.
    fn next(&self, now: Instant, rules: Rules) -> Option<(usize, Claim)> {
        let best = self
            .shares
            .iter()
            .filter(|(key, share)| key.is_none() || share.in_flight < rules.per_share)
            .filter_map(|(_, share)| self.best_of(share, now, rules))
            .reduce(|best, other| if other.goes_before(&best, rules) { other } else { best })?;
        Some((best.index, best.waiter.claim))
    }

    fn best_of<'a>(
        &'a self,
        share: &'a Share,
        now: Instant,
        rules: Rules,
    ) -> Option<Candidate<'a>> {
        let candidate = |index: usize| {
            let waiter = self.waiters[index].as_ref()?;
            let starving = now - waiter.since >= rules.starvation;
            Some(Candidate { index, waiter, share, starving })
        };
        let oldest = share.lines.iter().filter_map(|line| candidate(*line.front()?));
        let oldest = oldest.min_by_key(|candidate| candidate.waiter.turn)?;
        if oldest.starving {
            return Some(oldest);
        }
        let line = share.lines.iter().rev().find(|line| !line.is_empty())?;
        candidate(*match rules.order {
            Order::Fifo => line.front()?,
            Order::Lifo => line.back()?,
        })
    }
}

struct Candidate<'a> {
    index: usize,
    waiter: &'a Waiter,
    share: &'a Share,
    starving: bool,
}

impl Candidate<'_> {
    /// The starving, oldest first; then by priority; then the share with least in flight for its
    /// weight; then by turn.
    fn goes_before(&self, other: &Self, rules: Rules) -> bool {
        let (a, b) = (self.waiter, other.waiter);
        if self.starving || other.starving {
            return self.starving && (!other.starving || a.turn < b.turn);
        }
        if a.claim.priority != b.claim.priority {
            return a.claim.priority > b.claim.priority;
        }
        let load = |one: &Self, weight: u32| u64::from(one.share.in_flight) * u64::from(weight);
        let (own, others) = (load(self, other.share.weight), load(other, self.share.weight));
        if own != others {
            return own < others;
        }
        match rules.order {
            Order::Fifo => a.turn < b.turn,
            Order::Lifo => a.turn > b.turn,
        }
    }
}
