//! The change of state, and the telling of it. All of it is rare and happens under one lock, except
//! that listeners are told outside.

use std::sync::Arc;
use std::time::Duration;

use super::cold::Cold;
use super::machine::{Machine, NEVER};
use super::sync::{Ordering, lock};
use super::transition::{Listener, Transition};
use super::word::Word;
use super::{Reason, State};
use crate::clock::{Clock, Instant};

impl Machine {
    /// Enters the state of `next` if the breaker is still in the epoch of `seen`.
    pub(super) fn shift(
        &self,
        seen: Word,
        next: Word,
        reason: Reason,
        now: Instant,
        clock: &Clock,
    ) -> bool {
        let mut cold = lock(&self.cold);
        if self.word().epoch() != seen.epoch() {
            return false;
        }
        self.enter(&mut cold, next, now);
        self.note(&mut cold, seen.state(), next.state(), reason, None, clock);
        self.tell(cold);
        true
    }

    /// Publishes `next`, after what its readers must find. The lock is held: nobody else raises
    /// the epoch, and a probe's compare-and-swap that loses to the store finds another epoch.
    fn enter(&self, cold: &mut Cold, next: Word, now: Instant) {
        match next.state() {
            State::Open => {
                let wait =
                    cold.config.open_wait.wait(cold.openings_in_a_row, self.random.next_f64());
                cold.openings_in_a_row = cold.openings_in_a_row.saturating_add(1);
                self.hot.open_until.store((now + wait).as_nanos(), Ordering::Relaxed);
            }
            State::Closed | State::MetricsOnly => {
                if next.state() == State::Closed {
                    cold.openings_in_a_row = 0;
                }
                // The other window: a call of an earlier epoch that is just recording adds to the
                // one that is in use no more.
                self.windows[next.window()].clear();
                self.hot.consecutive[next.window()].store(0, Ordering::Relaxed);
                self.hot.hung.store(0, Ordering::Relaxed);
                self.hot.attention.store(0, Ordering::Relaxed);
                // What hangs since before the recovery says nothing about the time after it.
                if let Some(in_flight) = &self.in_flight {
                    in_flight.excuse();
                }
                self.hot.counting_epoch.store(next.epoch(), Ordering::Relaxed);
            }
            State::HalfOpen | State::ForcedOpen | State::Disabled => {}
        }
        self.hot.word.store(next.0, Ordering::Release);
    }

    fn note(
        &self,
        cold: &mut Cold,
        from: State,
        to: State,
        reason: Reason,
        note: Option<Arc<str>>,
        clock: &Clock,
    ) {
        let name = Arc::clone(&self.name);
        cold.journal.add(Transition { name, from, to, reason, at: clock.wall(), note });
    }

    /// Tells listeners what they have not heard, outside the lock, in order, each once. A listener
    /// may call back: what that leads to is told by the loop that runs already.
    fn tell(&self, mut cold: impl std::ops::DerefMut<Target = Cold>) {
        if !cold.journal.begin_telling() {
            return;
        }
        let mut next = cold.journal.next_untold();
        let listeners = Arc::clone(&cold.listeners);
        drop(cold);
        while let Some(transition) = next {
            self.announce(&transition, &listeners);
            next = lock(&self.cold).journal.next_untold();
        }
    }

    fn announce(&self, transition: &Transition, listeners: &[Listener]) {
        self.series.states[transition.from as usize].set(0.0);
        self.series.states[transition.to as usize].set(1.0);
        tracing::warn!(
            target: "obs_core::circuit",
            circuit = &*transition.name,
            from = transition.from.as_str(),
            to = transition.to.as_str(),
            reason = transition.reason.as_str(),
            note = transition.note.as_deref(),
            "circuit breaker changed state"
        );
        for listener in listeners {
            // A listener that panics must not fail the call that happens to tell it.
            let call = std::panic::AssertUnwindSafe(|| (listener.0)(transition));
            if std::panic::catch_unwind(call).is_err() {
                tracing::error!(
                    target: "obs_core::circuit",
                    circuit = &*transition.name,
                    "a listener of the circuit breaker panicked"
                );
            }
        }
    }

    // Operators

    pub(super) fn override_expired(&self, word: Word, now: Instant, clock: &Clock) -> bool {
        if now.as_nanos() < self.hot.override_until.load(Ordering::Relaxed) {
            return false;
        }
        let closed = word.next(State::Closed, 1 - word.window());
        self.shift(word, closed, Reason::OverrideExpired, now, clock);
        true
    }

    /// Enters `state` on an operator's behalf, for `ttl` if it is an override.
    pub(super) fn force(
        &self,
        state: State,
        ttl: Option<Duration>,
        note: Option<Arc<str>>,
        now: Instant,
        clock: &Clock,
    ) {
        let mut cold = lock(&self.cold);
        let word = self.word();
        let until = ttl.map_or(NEVER, |ttl| (now + ttl).as_nanos());
        self.hot.override_until.store(until, Ordering::Relaxed);
        let window = match state {
            State::Closed | State::MetricsOnly => 1 - word.window(),
            _ => word.window(),
        };
        self.enter(&mut cold, word.next(state, window), now);
        self.note(&mut cold, word.state(), state, Reason::Operator, note, clock);
        self.tell(cold);
    }
}
