//! What an ended call is told to the breaker for.

use super::Verdict;
use super::machine::Machine;
use super::sync::{Ordering, fence};
use super::ticket::{Ticket, TicketKind};
use super::window::Sample;
use super::word::Word;
use crate::clock::{Clock, Instant};
use crate::outcome::Outcome;

impl Machine {
    /// A call has ended so.
    #[inline(always)]
    pub(super) fn end(&self, ticket: &Ticket, outcome: Outcome, now: Instant, clock: &Clock) {
        let well = matches!(outcome, Outcome::Success) && self.verdict.is_none();
        if !(well && self.did_well(ticket, now, clock)) {
            self.end_otherwise(ticket, outcome, now, clock);
        }
    }

    #[cold]
    fn end_otherwise(&self, ticket: &Ticket, outcome: Outcome, now: Instant, clock: &Clock) {
        let mut verdict = self.verdict.map_or(Verdict::of(outcome), |verdict| verdict(outcome));
        if verdict == Verdict::Ignored && outcome.is_cancelled() {
            verdict = self.verdict_of_a_drop(ticket, now, clock);
        }
        self.settle(ticket, verdict, now, clock);
    }

    /// What it means that a call was given up: a failure if it was late or slow, or if its thread
    /// panics; otherwise its caller went away.
    #[cold]
    pub(super) fn verdict_of_a_drop(
        &self,
        ticket: &Ticket,
        now: Instant,
        clock: &Clock,
    ) -> Verdict {
        let running = clock.running(now);
        if ticket.deadline.has_passed(running)
            || self.is_slow(ticket, running)
            || std::thread::panicking()
        {
            return Verdict::Failure;
        }
        Verdict::Ignored
    }

    #[inline]
    fn is_slow(&self, ticket: &Ticket, running: Instant) -> bool {
        let age = running.as_nanos().saturating_sub(ticket.started.as_nanos());
        age >= self.hot.knobs.slow_nanos()
    }

    pub(super) fn settle(&self, ticket: &Ticket, verdict: Verdict, now: Instant, clock: &Clock) {
        if !(verdict == Verdict::Success && self.did_well(ticket, now, clock)) {
            self.settle_otherwise(ticket, verdict, now, clock);
        }
    }

    /// Counts a success, unless it was slow or its state has passed.
    #[inline(always)]
    fn did_well(&self, ticket: &Ticket, now: Instant, clock: &Clock) -> bool {
        let word = self.word();
        if word != ticket.word
            || ticket.kind != TicketKind::Counted
            || self.is_slow(ticket, clock.running(now))
        {
            return false;
        }
        if ticket.in_flight {
            self.leave(ticket);
        }
        self.series.success.add(1);
        let streak = &self.hot.consecutive[word.window()];
        if streak.load(Ordering::Relaxed) != 0 {
            streak.store(0, Ordering::Relaxed);
        }
        let moved_on = self.windows[word.window()].record(now, ticket.shard, Sample::default());
        // A call that does well makes no rate worse; only if that does not settle it, look closer.
        if moved_on || self.hot.attention.load(Ordering::Relaxed) != 0 {
            self.open_if_due(word, 0, now, clock);
        }
        true
    }

    #[cold]
    fn settle_otherwise(&self, ticket: &Ticket, verdict: Verdict, now: Instant, clock: &Clock) {
        if ticket.in_flight {
            self.leave(ticket);
        }
        if verdict == Verdict::Ignored {
            self.counts.ignored.fetch_add(1, Ordering::Relaxed);
            self.series.ignored.add(1);
            if ticket.kind == TicketKind::Probe {
                self.change_probes(ticket, Word::withdraw);
            }
            return;
        }
        let slow = self.is_slow(ticket, clock.running(now));
        let sample = Sample { failed: verdict == Verdict::Failure, slow };
        self.count(sample);
        let word = self.word();
        if word.epoch() != ticket.epoch() {
            self.counts.outdated.fetch_add(1, Ordering::Relaxed);
            return;
        }
        match ticket.kind {
            TicketKind::Probe => self.end_probe(ticket, sample, now, clock),
            TicketKind::Counted => self.record(word, ticket.shard, sample, now, clock),
            TicketKind::Uncounted | TicketKind::Shadow => {}
        }
    }

    fn leave(&self, ticket: &Ticket) {
        let Some(in_flight) = &self.in_flight else { return };
        if ticket.epoch() == self.hot.counting_epoch.load(Ordering::Relaxed) {
            in_flight.leave(ticket.started, ticket.shard);
        } else {
            in_flight.leave_excused(ticket.shard);
        }
    }

    fn count(&self, sample: Sample) {
        if sample.failed {
            self.counts.failed.fetch_add(1, Ordering::Relaxed);
            self.series.failure.add(1);
        } else {
            self.series.success.add(1);
        }
        if sample.slow {
            self.counts.slow.fetch_add(1, Ordering::Relaxed);
            self.series.slow.add(1);
        }
    }

    /// Records a call that was admitted in the epoch of `word`, and opens if it is due.
    fn record(&self, word: Word, shard: u8, sample: Sample, now: Instant, clock: &Clock) {
        let streak = &self.hot.consecutive[word.window()];
        let mut consecutive = 0;
        if sample.failed {
            consecutive = streak.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        } else {
            streak.store(0, Ordering::Relaxed);
        }
        self.windows[word.window()].record(now, shard, sample);
        // Of two threads that add to places of their own and then look, one sees what both added.
        fence(Ordering::SeqCst);
        self.open_if_due(word, consecutive, now, clock);
    }
}
