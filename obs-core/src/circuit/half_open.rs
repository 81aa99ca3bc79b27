//! Half-open: a few calls show whether things are better.

use super::machine::Machine;
use super::sync::Ordering;
use super::ticket::Ticket;
use super::window::Sample;
use super::word::Word;
use super::{Reason, State};
use crate::clock::{Clock, Instant};

impl Machine {
    /// Open -> HalfOpen: the call that finds the wait over is the first probe. Returns the word it
    /// was admitted by, or `None` if the state changed meanwhile.
    pub(super) fn begin_half_open(&self, word: Word, now: Instant, clock: &Clock) -> Option<Word> {
        self.hot.probing_since.store(clock.running(now).as_nanos(), Ordering::Relaxed);
        let next = word.next(State::HalfOpen, word.window()).issue();
        self.shift(word, next, Reason::WaitElapsed, now, clock).then_some(next)
    }

    /// The word that admitted the probe, or that all probes are under way; `None` if the word
    /// changed meanwhile.
    pub(super) fn admit_probe(
        &self,
        word: Word,
        now: Instant,
        clock: &Clock,
    ) -> Option<Result<Word, ()>> {
        let permitted = self.hot.knobs.probes();
        let running = clock.running(now);
        if word.outstanding() == 0 {
            if word.done() >= permitted {
                // Fewer probes are permitted than when this cycle began.
                self.judge_probes(word, now, clock);
                return None;
            }
            self.hot.probing_since.store(running.as_nanos(), Ordering::Relaxed);
        } else if self.probing_too_long(running) {
            // HalfOpen -> Open: a probe hangs.
            self.open(word, Reason::ProbeTimeLimit, now, clock);
            return None;
        }
        if word.issued() >= permitted {
            return Some(Err(()));
        }
        let issued = word.issue();
        let exchanged =
            self.hot.word.compare_exchange(word.0, issued.0, Ordering::AcqRel, Ordering::Relaxed);
        exchanged.is_ok().then_some(Ok(issued))
    }

    fn probing_too_long(&self, running: Instant) -> bool {
        let since = Instant::from_nanos(self.hot.probing_since.load(Ordering::Relaxed));
        running - since >= self.hot.knobs.max_half_open()
    }

    /// Changes the probes of the ticket's half-open cycle; `None` if that cycle is over.
    pub(super) fn change_probes(
        &self,
        ticket: &Ticket,
        change: impl Fn(Word) -> Word,
    ) -> Option<Word> {
        let mut word = self.word();
        while word.epoch() == ticket.epoch() {
            let new = change(word);
            match self.hot.word.compare_exchange_weak(
                word.0,
                new.0,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some(new),
                Err(now) => word = Word(now),
            }
        }
        None
    }

    pub(super) fn end_probe(&self, ticket: &Ticket, sample: Sample, now: Instant, clock: &Clock) {
        if let Some(word) = self.change_probes(ticket, |w| w.complete(sample.failed, sample.slow)) {
            self.judge_probes(word, now, clock);
        }
    }

    /// Leaves half-open if its probes have shown enough.
    fn judge_probes(&self, word: Word, now: Instant, clock: &Clock) {
        let complete = word.done() >= self.hot.knobs.probes();
        let failed = if self.hot.knobs.first_failure_opens() {
            word.failed() > 0 || (word.slow() > 0 && !self.hot.knobs.slow_rate().is_nan())
        } else if !complete {
            return;
        } else {
            self.probes_failed(word)
        };
        if failed {
            // HalfOpen -> Open
            self.open(word, Reason::ProbesFailed, now, clock);
        } else if complete {
            // HalfOpen -> Closed
            let closed = word.next(State::Closed, 1 - word.window());
            self.shift(word, closed, Reason::ProbesSucceeded, now, clock);
        }
    }
}
