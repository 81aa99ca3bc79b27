use super::machine::{Machine, Ticket};
use super::{CircuitBreaker, Verdict};
use crate::clock::Instant;
use crate::outcome::Outcome;

/// A call that a breaker admitted and whose outcome it waits for.
///
/// Dropped without an outcome, the call counts as a failure if its deadline had passed, if it took
/// as long as a slow call, or if the thread is panicking; otherwise it counts as cancelled, which
/// changes nothing and gives a probe's slot back.
///
/// ```
/// use obs_core::circuit::CircuitBreaker;
/// use obs_core::outcome::Outcome;
///
/// let breaker = CircuitBreaker::builder("inventory").build()?;
/// let permit = breaker.try_acquire()?;
/// assert_eq!(permit.breaker().name(), breaker.name());
/// assert!(!permit.is_shadow());
/// permit.settle(Outcome::ServerError);
///
/// // A call that was not made after all counts for nothing.
/// breaker.try_acquire()?.release();
/// assert_eq!(breaker.totals().calls, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping a permit at once tells the breaker that the call was cancelled"]
pub struct Permit {
    breaker: CircuitBreaker,
    ticket: Option<Ticket>,
}

impl Permit {
    #[inline]
    pub(super) const fn new(breaker: CircuitBreaker, ticket: Ticket) -> Self {
        Self { breaker, ticket: Some(ticket) }
    }

    /// The breaker that gave it.
    #[must_use]
    pub const fn breaker(&self) -> &CircuitBreaker {
        &self.breaker
    }

    /// Whether only shadow mode let the call pass.
    #[must_use]
    pub const fn is_shadow(&self) -> bool {
        matches!(&self.ticket, Some(ticket) if Machine::is_shadow(ticket))
    }

    /// Tells the breaker how the call ended, now.
    #[inline]
    pub fn settle(self, outcome: Outcome) {
        let now = self.breaker.clock().coarse();
        self.settle_at(outcome, now);
    }

    /// Tells the breaker how the call ended, at a time already read from its clock.
    #[inline]
    pub fn settle_at(mut self, outcome: Outcome, now: Instant) {
        self.end_at(outcome, now);
    }

    /// As [`Permit::settle_at`], for who keeps the permit in its place: what it is told after that
    /// counts no more.
    ///
    /// ```
    /// use obs_core::circuit::CircuitBreaker;
    /// use obs_core::outcome::Outcome;
    ///
    /// let breaker = CircuitBreaker::builder("inventory").build()?;
    /// let mut permit = breaker.try_acquire()?;
    /// permit.end_at(Outcome::ServerError, breaker.clock().now());
    /// assert_eq!(breaker.totals().failures, 1);
    ///
    /// let permit = breaker.try_acquire()?;
    /// permit.settle_at(Outcome::Success, breaker.clock().now());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn end_at(&mut self, outcome: Outcome, now: Instant) {
        let Some(ticket) = self.ticket.take() else { return };
        let (machine, clock) = (self.breaker.machine(), self.breaker.clock());
        let mut verdict = machine.verdict(outcome);
        if verdict == Verdict::Ignored && outcome.is_cancelled() {
            verdict = machine.verdict_of_a_drop(&ticket, now, clock);
        }
        machine.settle(ticket, verdict, now, clock);
    }

    /// Gives the permit back as if the call had never been made.
    pub fn release(mut self) {
        if let Some(ticket) = self.ticket.take() {
            let clock = self.breaker.clock();
            self.breaker.machine().settle(ticket, Verdict::Ignored, clock.coarse(), clock);
        }
    }

    #[cold]
    fn settle_dropped(&self, ticket: Ticket) {
        let (machine, clock) = (self.breaker.machine(), self.breaker.clock());
        let now = clock.coarse();
        let verdict = machine.verdict_of_a_drop(&ticket, now, clock);
        machine.settle(ticket, verdict, now, clock);
    }
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.settle_dropped(ticket);
        }
    }
}
