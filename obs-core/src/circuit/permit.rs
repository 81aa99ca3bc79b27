use super::machine::Ticket;
use super::{CircuitBreaker, Verdict};
use crate::clock::Instant;
use crate::deadline::Deadline;
use crate::outcome::Outcome;

/// A call that a breaker admitted and whose outcome it waits for.
///
/// Dropped without an outcome, the call counts as a failure if its deadline had passed, if it took
/// as long as a slow call, or if the thread is panicking; otherwise it counts as cancelled, which
/// changes nothing and gives a probe's slot back.
#[derive(Debug)]
#[must_use = "dropping a permit at once tells the breaker that the call was cancelled"]
pub struct Permit {
    breaker: CircuitBreaker,
    ticket: Option<Ticket>,
    deadline: Option<Deadline>,
}

impl Permit {
    pub(super) const fn new(
        breaker: CircuitBreaker,
        ticket: Ticket,
        deadline: Option<Deadline>,
    ) -> Self {
        Self { breaker, ticket: Some(ticket), deadline }
    }

    /// The breaker that gave it.
    #[must_use]
    pub const fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    /// Whether only shadow mode let the call pass.
    #[must_use]
    pub const fn is_shadow(&self) -> bool {
        matches!(&self.ticket, Some(ticket) if ticket.is_shadow())
    }

    /// Tells the breaker how the call ended, now.
    #[inline]
    pub fn settle(self, outcome: Outcome) {
        let now = self.breaker.clock().coarse();
        self.settle_at(outcome, now);
    }

    /// Tells the breaker how the call ended, at a time already read from its clock.
    #[inline]
    pub fn settle_at(self, outcome: Outcome, now: Instant) {
        let verdict = (self.breaker.machine().verdict())(outcome);
        match outcome {
            Outcome::CancelledBeforeHeaders | Outcome::CancelledInBody
                if verdict == Verdict::Ignored =>
            {
                self.cancel_at(now);
            }
            _ => self.finish(verdict, now),
        }
    }

    /// Gives the permit back as if the call had never been made.
    pub fn release(self) {
        let now = self.breaker.clock().coarse();
        self.finish(Verdict::Ignored, now);
    }

    fn cancel_at(self, now: Instant) {
        let verdict = self.verdict_of_a_drop(now);
        self.finish(verdict, now);
    }

    fn verdict_of_a_drop(&self, now: Instant) -> Verdict {
        let late = self.deadline.is_some_and(|deadline| deadline.has_passed(now));
        let slow = self.ticket.as_ref().is_some_and(|t| self.breaker.machine().is_slow(t, now));
        if late || slow || std::thread::panicking() { Verdict::Failure } else { Verdict::Ignored }
    }

    #[inline]
    fn finish(mut self, verdict: Verdict, now: Instant) {
        if let Some(ticket) = self.ticket.take() {
            self.breaker.machine().settle(ticket, verdict, now, self.breaker.clock());
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.ticket.is_some() {
            let now = self.breaker.clock().coarse();
            let verdict = self.verdict_of_a_drop(now);
            if let Some(ticket) = self.ticket.take() {
                self.breaker.machine().settle(ticket, verdict, now, self.breaker.clock());
            }
        }
    }
}
