use std::ops::{Add, Sub};
use std::time::Duration;

use super::nanos;

/// A reading of the monotonic clock: nanoseconds since an arbitrary origin.
///
/// Eight bytes and `Copy`, so it fits an atomic. Arithmetic saturates instead of panicking.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::clock::Instant;
///
/// let start = Instant::from_nanos(1_000);
/// let end = start + Duration::from_millis(2);
/// assert_eq!(end.as_nanos(), 2_001_000);
/// assert_eq!(end.saturating_duration_since(start), Duration::from_millis(2));
/// // A reading of another thread may be a little behind; that is no time, not a panic.
/// assert_eq!(start.saturating_duration_since(end), Duration::ZERO);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(u64);

impl Instant {
    /// An instant `nanos` nanoseconds after the origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    #[must_use]
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_duration_since(earlier)
    }
}
