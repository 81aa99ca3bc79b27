//! The deadline that a request inherits.

use std::time::Duration;

use obs_core::clock::Clock;
use obs_core::context::RequestContext;
use obs_core::deadline::Deadline;

/// The earlier of the deadline that a layer further out set and the one the request came with.
///
/// The time limit, the queue of the bulkhead, retries and the breaker all go by it.
#[inline]
#[must_use]
pub fn inherited() -> Option<Deadline> {
    let arrived_with = RequestContext::with_current(RequestContext::deadline).flatten();
    match (Deadline::current(), arrived_with) {
        (Some(limit), Some(deadline)) => Some(limit.min(deadline)),
        (one, other) => one.or(other),
    }
}

/// The time that an outgoing call may take: what is left of the [inherited] deadline,
/// less `reserve` for the work after it. `None` without a deadline; zero when nothing is left.
#[must_use]
pub fn remaining(clock: &Clock, reserve: Duration) -> Option<Duration> {
    inherited().map(|deadline| deadline.remaining(clock.now()).saturating_sub(reserve))
}
