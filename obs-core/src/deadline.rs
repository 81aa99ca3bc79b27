//! The time by which an answer is worth nothing any more.

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
    #[must_use]
    pub fn has_passed(self, now: Instant) -> bool {
        now >= self.0
    }
}
