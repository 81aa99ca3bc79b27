//! Time as a value.
//!
//! Everything in the suite that needs the time is handed a [`Clock`]. In production it is
//! [`Clock::system`]; in tests it is a [`ManualClock`], which moves only when it is told to.
//!
//! ```
//! use std::time::Duration;
//! use obs_core::clock::ManualClock;
//!
//! let manual = ManualClock::default();
//! let clock = manual.clock();
//! let start = clock.now();
//! manual.advance(Duration::from_millis(250));
//! assert_eq!(clock.now() - start, Duration::from_millis(250));
//! ```

mod frozen;
mod instant;
mod manual;
mod rfc3339;
mod timestamp;

use std::fmt;
use std::sync::Arc;

use frozen::Frozen;
pub use instant::Instant;
pub use manual::ManualClock;
pub use timestamp::Timestamp;

/// Where a [`Clock`] reads the time; implemented by clocks other than the system's.
///
/// Both readings must be cheap and must not block. `monotonic` never goes back.
///
/// ```
/// use obs_core::clock::{Clock, Instant, TimeSource, Timestamp};
///
/// /// Time of a simulation, which stands still.
/// #[derive(Debug)]
/// struct Still;
///
/// impl TimeSource for Still {
///     fn monotonic(&self) -> Instant {
///         Instant::from_nanos(0)
///     }
///
///     fn wall(&self) -> Timestamp {
///         Timestamp::from_unix_millis(0)
///     }
/// }
///
/// assert_eq!(Clock::custom(Still).wall().unix_seconds(), 0);
/// ```
pub trait TimeSource: Send + Sync + fmt::Debug + 'static {
    /// Reads the monotonic time.
    fn monotonic(&self) -> Instant;
    /// Reads the wall clock.
    fn wall(&self) -> Timestamp;
    /// Reads the monotonic time as [`Clock::coarse`] does: late perhaps, never early. Default: not
    /// late.
    ///
    /// ```
    /// use obs_core::clock::{Clock, Instant, TimeSource, Timestamp};
    ///
    /// /// A clock that also knows the last full millisecond, more cheaply.
    /// #[derive(Debug)]
    /// struct Ticking(u64);
    ///
    /// impl TimeSource for Ticking {
    ///     fn monotonic(&self) -> Instant {
    ///         Instant::from_nanos(self.0)
    ///     }
    ///
    ///     fn wall(&self) -> Timestamp {
    ///         Timestamp::from_unix_millis(0)
    ///     }
    ///
    ///     fn coarse(&self) -> Instant {
    ///         Instant::from_nanos(self.0 / 1_000_000 * 1_000_000)
    ///     }
    /// }
    ///
    /// let clock = Clock::custom(Ticking(1_234_567));
    /// assert_eq!(clock.now().as_nanos(), 1_234_567);
    /// assert_eq!(clock.coarse().as_nanos(), 1_000_000);
    /// ```
    fn coarse(&self) -> Instant {
        self.monotonic()
    }
    /// How long the process was frozen so far; see [`Clock::running`]. Default: never.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use obs_core::clock::{ManualClock, TimeSource};
    ///
    /// let clock = ManualClock::default();
    /// assert_eq!(clock.frozen(), Duration::ZERO);
    /// clock.note_frozen(clock.monotonic(), clock.monotonic() + Duration::from_secs(5));
    /// assert_eq!(clock.frozen(), Duration::from_secs(5));
    /// ```
    fn frozen(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
    /// Takes note of a freeze; see [`Clock::note_frozen`]. Default: ignores it.
    fn note_frozen(&self, from: Instant, until: Instant) {
        _ = (from, until);
    }
}

/// What [`Clock::system`] has been told of freezes: they happen to the whole process.
static FROZEN: Frozen = Frozen::new();

/// A handle to a source of time; cheap to clone.
///
/// ```
/// use obs_core::clock::{Clock, ManualClock};
///
/// let clock = Clock::system();
/// let (start, wall) = (clock.now(), clock.wall());
/// assert!(clock.now() >= start);
/// assert!(wall.unix_seconds() > 1_700_000_000);
/// // Cheaper, and behind by a few milliseconds at most.
/// let _ = clock.coarse();
///
/// // A suspended process says from when to when it did not run.
/// let manual = ManualClock::default();
/// let (clock, before) = (manual.clock(), manual.clock().now());
/// manual.advance(std::time::Duration::from_secs(60));
/// clock.note_frozen(before, clock.now());
/// assert_eq!(clock.running(clock.now()), before);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Clock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    Custom(Arc<dyn TimeSource>),
}

impl Clock {
    /// The clock of the operating system.
    #[must_use]
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that reads `source`.
    ///
    /// ```
    /// use obs_core::clock::{Clock, ManualClock};
    ///
    /// let clock = Clock::custom(ManualClock::default());
    /// assert_eq!(clock.now(), clock.now());
    /// ```
    #[must_use]
    pub fn custom(source: impl TimeSource) -> Self {
        Self(Source::Custom(Arc::new(source)))
    }

    /// Reads the monotonic time, in nanoseconds since an arbitrary origin.
    #[inline]
    #[must_use]
    pub fn now(&self) -> Instant {
        match &self.0 {
            Source::System => system_monotonic(),
            Source::Custom(source) => source.monotonic(),
        }
    }

    /// Reads the monotonic time as the kernel's timer last left it: at most about 10 ms late, never
    /// early, at about a fifth of the cost of [`Clock::now`]. Both share one origin.
    ///
    /// On systems without such a clock, and on clocks other than the system's that have none, it is
    /// [`Clock::now`].
    #[inline]
    #[must_use]
    pub fn coarse(&self) -> Instant {
        match &self.0 {
            Source::System => system_coarse(),
            Source::Custom(source) => source.coarse(),
        }
    }

    /// Reads the wall clock as the kernel's timer last left it, as [`Clock::coarse`] reads the
    /// monotonic one.
    ///
    /// ```
    /// use obs_core::clock::{Clock, ManualClock};
    ///
    /// // On a clock other than the system's it is the wall clock itself.
    /// let manual = ManualClock::default();
    /// assert_eq!(manual.clock().coarse_wall(), manual.clock().wall());
    ///
    /// assert!(Clock::system().coarse_wall().unix_seconds() > 1_700_000_000);
    /// ```
    #[inline]
    #[must_use]
    pub fn coarse_wall(&self) -> Timestamp {
        match &self.0 {
            Source::System => system_coarse_wall(),
            Source::Custom(source) => source.wall(),
        }
    }

    /// `now` on a clock that stood still while the process was frozen: what was under way meanwhile
    /// is younger by this clock than by [`Clock::now`].
    ///
    /// A Lambda sandbox between two invocations, a stopped container and a suspended machine are
    /// frozen. It counts what [`Clock::note_frozen`] was told, so it may go back when a freeze is
    /// noticed late; ages that it would make negative are zero.
    ///
    /// ```
    /// use std::time::Duration;
    /// use obs_core::clock::ManualClock;
    ///
    /// let manual = ManualClock::default();
    /// let clock = manual.clock();
    /// let started = clock.running(clock.now());
    /// manual.advance(Duration::from_secs(2));
    /// manual.freeze(Duration::from_secs(3_600));
    /// assert_eq!(clock.running(clock.now()) - started, Duration::from_secs(2));
    /// ```
    #[inline]
    #[must_use]
    pub fn running(&self, now: Instant) -> Instant {
        let frozen = match &self.0 {
            Source::System => FROZEN.total_nanos(),
            Source::Custom(source) => nanos(source.frozen()),
        };
        Instant::from_nanos(now.as_nanos().saturating_sub(frozen))
    }

    /// Takes note that the process did not run between two instants, because a timer fired far too
    /// late or because the platform says so. Time that was noted before is not counted again.
    pub fn note_frozen(&self, from: Instant, until: Instant) {
        match &self.0 {
            Source::System => FROZEN.note(from, until),
            Source::Custom(source) => source.note_frozen(from, until),
        }
    }

    /// Reads the wall clock.
    ///
    /// It may go back when the machine's clock is set; measure durations with [`Clock::now`].
    #[inline]
    #[must_use]
    pub fn wall(&self) -> Timestamp {
        match &self.0 {
            Source::System => system_wall(),
            Source::Custom(source) => source.wall(),
        }
    }
}

#[cfg(target_os = "linux")]
use linux::{system_coarse, system_coarse_wall, system_monotonic, system_wall};

#[cfg(target_os = "linux")]
mod linux {
    use rustix::time::{ClockId, clock_gettime};

    use super::{Instant, Timestamp};

    #[inline]
    pub(super) fn system_monotonic() -> Instant {
        read(ClockId::Monotonic)
    }

    #[inline]
    pub(super) fn system_coarse() -> Instant {
        read(ClockId::MonotonicCoarse)
    }

    #[inline]
    pub(super) fn system_wall() -> Timestamp {
        since_epoch(ClockId::Realtime)
    }

    #[inline]
    pub(super) fn system_coarse_wall() -> Timestamp {
        since_epoch(ClockId::RealtimeCoarse)
    }

    #[inline]
    fn since_epoch(clock: ClockId) -> Timestamp {
        let time = clock_gettime(clock);
        // A clock set to before 1970 reads 0.
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        let nanos = u64::try_from(time.tv_nsec).unwrap_or_default();
        Timestamp::from_unix_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
    }

    #[inline]
    #[allow(clippy::cast_sign_loss, reason = "neither field is negative on the monotonic clocks")]
    fn read(clock: ClockId) -> Instant {
        let time = clock_gettime(clock);
        Instant::from_nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
    }
}

#[cfg(not(target_os = "linux"))]
fn system_coarse() -> Instant {
    system_monotonic()
}

#[cfg(not(target_os = "linux"))]
fn system_coarse_wall() -> Timestamp {
    system_wall()
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::disallowed_methods, reason = "the one place that reads the system's clocks")]
fn system_monotonic() -> Instant {
    static ORIGIN: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let now = std::time::Instant::now();
    let origin = *ORIGIN.get_or_init(|| now);
    // One second ahead, so that subtracting small durations from early readings stays exact.
    Instant::from_nanos(1_000_000_000 + nanos(now.saturating_duration_since(origin)))
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::disallowed_methods, reason = "the one place that reads the system's clocks")]
fn system_wall() -> Timestamp {
    let since_epoch = std::time::SystemTime::now()
        .duration_since(std::time::SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_unix_nanos(nanos(since_epoch))
}

/// Whole nanoseconds, saturating after 584 years.
pub(crate) fn nanos(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_clock_never_goes_back() {
        let clock = Clock::system();
        let mut last = clock.now();
        for _ in 0..1_000 {
            let now = clock.now();
            assert!(now >= last);
            last = now;
        }
    }

    #[test]
    fn the_coarse_clock_is_never_ahead_and_never_goes_back() {
        let clock = Clock::system();
        let mut last = clock.coarse();
        for _ in 0..1_000 {
            let coarse = clock.coarse();
            assert!(last <= coarse && coarse <= clock.now());
            last = coarse;
        }
    }

    #[test]
    fn the_wall_clock_reads_a_time_after_this_was_written() {
        assert!(Clock::system().wall().unix_millis() > 1_763_000_000_000);
    }
}
