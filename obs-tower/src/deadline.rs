//! The deadline that a request inherits.
//!
//! ```
//! use std::time::Duration;
//!
//! use obs_core::clock::Clock;
//! use obs_core::deadline::Deadline;
//! use obs_tower::deadline::remaining;
//!
//! let clock = Clock::system();
//! let _scope = Deadline::after(clock.now(), Duration::from_secs(2)).enter();
//! assert!(remaining(&clock, Duration::ZERO).is_some_and(|left| left <= Duration::from_secs(2)));
//! ```

use std::time::Duration;

use obs_core::clock::Clock;
use obs_core::context::current_deadline;
use obs_core::deadline::Deadline;

/// The earlier of the deadline that a layer further out set and the one the request came with.
///
/// The time limit, the queue of the bulkhead, retries and the breaker all go by it.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::clock::Clock;
/// use obs_core::deadline::Deadline;
/// use obs_tower::deadline::inherited;
///
/// let deadline = Deadline::after(Clock::system().now(), Duration::from_secs(2));
/// let _scope = deadline.enter();
/// assert_eq!(inherited(), Some(deadline));
/// ```
#[inline]
#[must_use]
pub fn inherited() -> Option<Deadline> {
    match (Deadline::current(), current_deadline()) {
        (Some(limit), Some(deadline)) => Some(limit.min(deadline)),
        (one, other) => one.or(other),
    }
}

/// The time that an outgoing call may take: what is left of the [inherited] deadline,
/// less `reserve` for the work after it. `None` without a deadline; zero when nothing is left.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::clock::Clock;
/// use obs_core::deadline::Deadline;
/// use obs_tower::deadline::remaining;
///
/// let clock = Clock::system();
/// assert_eq!(remaining(&clock, Duration::ZERO), None);
/// let _scope = Deadline::after(clock.now(), Duration::from_secs(2)).enter();
/// // What a statement of a database may take, if the answer needs 100 ms after it.
/// let left = remaining(&clock, Duration::from_millis(100)).expect("there is a deadline");
/// assert!(left <= Duration::from_millis(1_900));
/// ```
#[must_use]
pub fn remaining(clock: &Clock, reserve: Duration) -> Option<Duration> {
    inherited().map(|deadline| deadline.remaining(clock.now()).saturating_sub(reserve))
}
