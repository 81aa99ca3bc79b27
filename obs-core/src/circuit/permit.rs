use std::sync::Arc;

use super::Verdict;
use super::hold::Hold;
use super::ticket::Ticket;
use crate::clock::Instant;
use crate::deadline::Deadline;
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
/// assert!(!permit.is_shadow());
/// permit.settle(Outcome::ServerError);
///
/// // In a future of one's own: the breaker hears of a call that waits when it does.
/// let mut permit = breaker.try_begin_at(breaker.clock().coarse())?;
/// assert!(permit.is_fresh());
/// permit.waits(None);
/// permit.end(Outcome::Success);
/// assert_eq!(breaker.totals().calls, 2);
///
/// // A call that was not made after all counts for nothing.
/// breaker.try_acquire()?.release();
/// assert_eq!(breaker.totals().calls, 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping a permit at once tells the breaker that the call was cancelled"]
pub struct Permit {
    hold: Arc<Hold>,
    ticket: Ticket,
    is_open: bool,
}

impl Permit {
    #[inline]
    pub(super) const fn new(hold: Arc<Hold>, ticket: Ticket) -> Self {
        Self { hold, ticket, is_open: true }
    }

    /// Whether only shadow mode let the call pass.
    #[must_use]
    pub const fn is_shadow(&self) -> bool {
        self.is_open && self.ticket.is_shadow()
    }

    /// Whether the breaker has yet to hear that the call [waits](Permit::waits) or has ended.
    #[inline]
    #[must_use]
    pub const fn is_fresh(&self) -> bool {
        self.is_open && !self.ticket.waits
    }

    /// Tells the breaker that the call has to wait for its answer, until `deadline` at the latest.
    /// From now on it is in flight. Only the first time counts.
    ///
    /// ```
    /// use obs_core::circuit::CircuitBreaker;
    /// use obs_core::outcome::Outcome;
    ///
    /// let breaker = CircuitBreaker::builder("inventory").build()?;
    /// let mut permit = breaker.try_begin_at(breaker.clock().now())?;
    /// assert!(permit.is_fresh());
    /// permit.waits(None);
    /// assert!(!permit.is_fresh());
    /// permit.end(Outcome::Success);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn waits(&mut self, deadline: Option<Deadline>) {
        let shared = &*self.hold.shared;
        if self.is_fresh() {
            shared.machine.wait(&mut self.ticket, deadline, &shared.clock);
        }
    }

    /// Tells the breaker how the call ended, now.
    #[inline]
    pub fn settle(mut self, outcome: Outcome) {
        self.end(outcome);
    }

    /// Tells the breaker how the call ended, at a time already read from its clock.
    #[inline]
    pub fn settle_at(mut self, outcome: Outcome, now: Instant) {
        self.end_at(outcome, now);
    }

    /// As [`Permit::settle`], for who keeps the permit in its place: what it is told after that
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
    #[inline(always)]
    pub fn end(&mut self, outcome: Outcome) {
        let now = self.hold.shared.clock.coarse();
        self.end_at(outcome, now);
    }

    /// As [`Permit::end`], at a time already read from the breaker's clock.
    ///
    /// ```
    /// use obs_core::circuit::CircuitBreaker;
    /// use obs_core::outcome::Outcome;
    ///
    /// let breaker = CircuitBreaker::builder("inventory").build()?;
    /// let mut permit = breaker.try_acquire()?;
    /// permit.end_at(Outcome::ServerError, breaker.clock().now());
    /// assert_eq!(breaker.totals().failures, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline(always)]
    pub fn end_at(&mut self, outcome: Outcome, now: Instant) {
        if !std::mem::take(&mut self.is_open) {
            return;
        }
        let (machine, clock) = (&self.hold.shared.machine, &self.hold.shared.clock);
        machine.end(&self.ticket, outcome, now, clock);
    }

    /// Gives the permit back as if the call had never been made.
    pub fn release(mut self) {
        if std::mem::take(&mut self.is_open) {
            let (machine, clock) = (&self.hold.shared.machine, &self.hold.shared.clock);
            machine.settle(&self.ticket, Verdict::Ignored, clock.coarse(), clock);
        }
    }

    #[cold]
    fn settle_dropped(&self) {
        let (machine, clock) = (&self.hold.shared.machine, &self.hold.shared.clock);
        let now = clock.coarse();
        let verdict = machine.verdict_of_a_drop(&self.ticket, now, clock);
        machine.settle(&self.ticket, verdict, now, clock);
    }
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        if self.is_open {
            self.settle_dropped();
        }
    }
}
