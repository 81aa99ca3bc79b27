use std::time::Duration;

use super::nanos;

/// A reading of the wall clock: nanoseconds since 1970-01-01T00:00:00Z, until the year 2554.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::clock::Timestamp;
///
/// let placed = Timestamp::from_unix_millis(1_767_225_600_000);
/// assert_eq!(placed, Timestamp::from_unix_nanos(1_767_225_600_000_000_000));
/// assert_eq!((placed.unix_seconds(), placed.unix_nanos() % 1_000), (1_767_225_600, 0));
///
/// let mut text = Vec::new();
/// placed.saturating_add(Duration::from_millis(42)).write_rfc3339(&mut text);
/// assert_eq!(text, b"2026-01-01T00:00:00.042Z");
/// let later = placed.saturating_add(Duration::from_secs(1));
/// assert_eq!(later.saturating_duration_since(placed), Duration::from_secs(1));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The time `nanos` nanoseconds after the Unix epoch.
    #[must_use]
    pub const fn from_unix_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The time `millis` milliseconds after the Unix epoch.
    #[must_use]
    pub const fn from_unix_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn unix_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the Unix epoch.
    ///
    /// ```
    /// use obs_core::clock::Timestamp;
    ///
    /// assert_eq!(Timestamp::from_unix_nanos(1_999_999).unix_millis(), 1);
    /// ```
    #[must_use]
    pub const fn unix_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Whole seconds since the Unix epoch.
    #[must_use]
    pub const fn unix_seconds(self) -> u64 {
        self.0 / 1_000_000_000
    }

    /// The time `duration` later, saturating.
    #[must_use]
    pub fn saturating_add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }

    /// The time from `earlier` to `self`; zero if `earlier` is later.
    #[must_use]
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}
