//! The deadline that a request inherits.

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
