//! The time by which an answer is worth nothing any more.
//!
//! ```
//! use std::time::Duration;
//!
//! use obs_core::clock::Clock;
//! use obs_core::deadline::Deadline;
//!
//! let clock = Clock::system();
//! let deadline = Deadline::after(clock.now(), Duration::from_secs(2));
//! let _scope = deadline.enter();
//! assert!(Deadline::current().is_some_and(|current| !current.has_passed(clock.now())));
//! ```

use std::cell::Cell;
use std::marker::PhantomData;
use std::time::Duration;

use crate::clock::Instant;

/// A point on the monotonic clock by which work must be done.
///
/// ```
/// use std::time::Duration;
/// use obs_core::clock::ManualClock;
/// use obs_core::deadline::Deadline;
///
/// let clock = ManualClock::default().clock();
/// let inherited = Deadline::after(clock.now(), Duration::from_secs(2));
/// let own = Deadline::after(clock.now(), Duration::from_secs(30));
/// assert_eq!(own.min(inherited).remaining(clock.now()), Duration::from_secs(2));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline at `instant`.
    #[must_use]
    pub const fn at(instant: Instant) -> Self {
        Self(instant)
    }

    /// The deadline `limit` after `now`.
    #[must_use]
    pub fn after(now: Instant, limit: Duration) -> Self {
        Self(now + limit)
    }

    /// The instant at which it passes.
    #[must_use]
    pub const fn instant(self) -> Instant {
        self.0
    }

    /// The time left at `now`; zero once it has passed.
    #[must_use]
    pub fn remaining(self, now: Instant) -> Duration {
        self.0.saturating_duration_since(now)
    }

    /// Whether it has passed at `now`.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use obs_core::clock::Instant;
    /// use obs_core::deadline::Deadline;
    ///
    /// let (start, limit) = (Instant::from_nanos(0), Duration::from_secs(2));
    /// let deadline = Deadline::after(start, limit);
    /// assert!(!deadline.has_passed(start) && deadline.has_passed(start + limit));
    /// assert_eq!(deadline, Deadline::at(deadline.instant()));
    /// ```
    #[must_use]
    pub fn has_passed(self, now: Instant) -> bool {
        now >= self.0
    }

    /// The deadline that the code now running on this thread works under.
    ///
    /// Layers that set a time limit enter it around each poll of what they wrap, so it needs no
    /// place in the request and reaches code that never sees one. It does not cross a spawn.
    #[inline]
    #[must_use]
    pub fn current() -> Option<Self> {
        let nanos = CURRENT.with(Cell::get);
        (nanos != NONE).then(|| Self(Instant::from_nanos(nanos)))
    }

    /// Makes this, or the present deadline if that is earlier, the current one until the scope is
    /// dropped. In async code a scope may not live across an `.await`; enter around each poll.
    ///
    /// ```
    /// use std::time::Duration;
    /// use obs_core::clock::Instant;
    /// use obs_core::deadline::Deadline;
    ///
    /// let outer = Deadline::at(Instant::from_nanos(5));
    /// let _outer = outer.enter();
    /// {
    ///     let _inner = Deadline::at(Instant::from_nanos(9)).enter();
    ///     assert_eq!(Deadline::current(), Some(outer), "a limit inside cannot extend one outside");
    /// }
    /// ```
    #[inline]
    pub fn enter(self) -> DeadlineScope {
        // `Cell::set` of the slot itself would look each time whether the slot is there yet.
        let previous =
            CURRENT.with(|current| current.replace(current.get().min(self.0.as_nanos())));
        DeadlineScope { previous, not_send: PhantomData }
    }
}

/// No deadline; also the end of time, which nobody reaches.
const NONE: u64 = u64::MAX;

thread_local!(static CURRENT: Cell<u64> = const { Cell::new(NONE) });

/// While it lives, [`Deadline::current`] is the deadline it was made from. Scopes end in the
/// reverse order of their beginning.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::clock::Clock;
/// use obs_core::deadline::Deadline;
///
/// let deadline = Deadline::after(Clock::system().now(), Duration::from_secs(2));
/// let scope = deadline.enter();
/// assert_eq!(Deadline::current(), Some(deadline));
/// drop(scope);
/// assert_eq!(Deadline::current(), None);
/// ```
#[derive(Debug)]
#[must_use = "the deadline is current only until the scope is dropped"]
pub struct DeadlineScope {
    previous: u64,
    not_send: PhantomData<*const ()>,
}

impl Drop for DeadlineScope {
    #[inline]
    fn drop(&mut self) {
        CURRENT.with(|current| current.set(self.previous));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_that_ends_brings_back_the_deadline_before_it() {
        assert_eq!(Deadline::current(), None);
        let (soon, later) =
            (Deadline::at(Instant::from_nanos(1)), Deadline::at(Instant::from_nanos(2)));
        let outer = later.enter();
        let inner = soon.enter();
        assert_eq!(Deadline::current(), Some(soon));
        drop(inner);
        assert_eq!(Deadline::current(), Some(later));
        drop(outer);
        assert_eq!(Deadline::current(), None);
    }
}
