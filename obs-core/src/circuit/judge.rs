//! Is there reason to open?

use std::time::Duration;

use super::machine::{Machine, NEVER};
use super::sync::Ordering;
use super::window::Totals;
use super::word::Word;
use super::{Reason, State};
use crate::clock::{Clock, Instant};

impl Machine {
    /// Closed -> Open, if the window or the streak says so.
    #[cold]
    pub(super) fn open_if_due(&self, word: Word, consecutive: u32, now: Instant, clock: &Clock) {
        if word.state() != State::Closed {
            return;
        }
        let totals = self.windows[word.window()].totals(now);
        if let Some(reason) = self.reason_to_open(totals, consecutive) {
            self.open(word, reason, now, clock);
            return;
        }
        // Below the minimum the next call may be the one that is missing, however it ends.
        let hung = self.hot.hung.load(Ordering::Relaxed);
        let below = totals.calls.saturating_add(hung) < self.hot.knobs.minimum_calls();
        let trouble = totals.failures > 0 || totals.slow > 0 || hung > 0;
        // Whoever sees no trouble may just not see it yet, and leaves this as it is.
        if !below {
            self.hot.attention.store(0, Ordering::Relaxed);
        } else if trouble {
            self.hot.attention.store(1, Ordering::Relaxed);
        }
    }

    fn reason_to_open(&self, totals: Totals, consecutive: u32) -> Option<Reason> {
        let knobs = &self.hot.knobs;
        let limit = knobs.consecutive_failures();
        if limit > 0 && consecutive >= limit {
            return Some(Reason::ConsecutiveFailures);
        }
        let minimum = knobs.minimum_calls();
        if totals.calls >= minimum && reaches(totals.failures, totals.calls, knobs.failure_rate()) {
            return Some(Reason::FailureRate);
        }
        let hung = self.hot.hung.load(Ordering::Relaxed);
        let (slow, calls) = (totals.slow.saturating_add(hung), totals.calls.saturating_add(hung));
        if calls >= minimum && reaches(slow, calls, knobs.slow_rate()) {
            return Some(if hung > 0 { Reason::HungCalls } else { Reason::SlowCallRate });
        }
        None
    }

    /// Whether the probes of a complete cycle reach a threshold.
    pub(super) fn probes_failed(&self, word: Word) -> bool {
        let failure_rate = self.hot.knobs.failure_rate();
        // Without a failure rate there is no share of failures that would be good enough.
        let failure_rate = if failure_rate.is_nan() { f64::MIN_POSITIVE } else { failure_rate };
        (word.failed() > 0 && reaches(word.failed(), word.done(), failure_rate))
            || reaches(word.slow(), word.done(), self.hot.knobs.slow_rate())
    }

    /// Once per tick: do calls hang, and is that reason to open?
    pub(super) fn look_for_hung_calls(&self, now: Instant, clock: &Clock) {
        let Some(in_flight) = &self.in_flight else {
            return self.hot.look_at.store(NEVER, Ordering::Relaxed);
        };
        let running = clock.running(now);
        if running.as_nanos() < self.hot.look_at.load(Ordering::Relaxed) {
            return;
        }
        let word = self.word();
        let next = in_flight.turn(running);
        let threshold = Duration::from_nanos(self.hot.knobs.slow_nanos());
        let hung = in_flight.older_than(threshold, running);
        self.hot.hung.store(hung, Ordering::Relaxed);
        self.hot.look_at.fetch_max(next.as_nanos(), Ordering::Relaxed);
        if hung > 0 {
            self.open_if_due(word, 0, now, clock);
        }
    }
}

fn reaches(part: u32, whole: u32, percent: f64) -> bool {
    // NaN, a threshold that is off, compares as false.
    f64::from(part) * 100.0 >= f64::from(whole) * percent && whole > 0
}
