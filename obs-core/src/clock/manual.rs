use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Clock, Frozen, Instant, TimeSource, Timestamp, nanos};

/// A clock that moves only when it is told to; clones move together.
///
/// It starts at 2026-01-01T00:00:00Z.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::clock::{ManualClock, Timestamp};
///
/// let manual = ManualClock::starting_at(Timestamp::from_unix_millis(1_000));
/// let clock = manual.clock();
/// let start = clock.now();
/// manual.advance(Duration::from_secs(1));
/// assert_eq!(clock.now().saturating_duration_since(start), Duration::from_secs(1));
/// assert_eq!(clock.wall().unix_millis(), 2_000);
///
/// // The wall clock may go back; the monotonic one never does.
/// manual.set_wall(Timestamp::from_unix_millis(500));
/// assert_eq!(clock.now().saturating_duration_since(start), Duration::from_secs(1));
///
/// // A frozen process, such as a Lambda function between invocations, did not run.
/// let before = clock.running(clock.now());
/// manual.freeze(Duration::from_secs(3600));
/// assert_eq!(clock.running(clock.now()), before);
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Reading>);

#[derive(Debug)]
struct Reading {
    monotonic: AtomicU64,
    wall: AtomicU64,
    frozen: Frozen,
}

const ORIGIN_NANOS: u64 = 1_000_000_000_000;
const START_UNIX_MILLIS: u64 = 1_767_225_600_000;

impl Default for ManualClock {
    fn default() -> Self {
        Self::starting_at(Timestamp::from_unix_millis(START_UNIX_MILLIS))
    }
}

impl ManualClock {
    /// A clock whose wall time starts at `wall`.
    #[must_use]
    pub fn starting_at(wall: Timestamp) -> Self {
        Self(Arc::new(Reading {
            monotonic: AtomicU64::new(ORIGIN_NANOS),
            wall: AtomicU64::new(wall.unix_nanos()),
            frozen: Frozen::new(),
        }))
    }

    /// The [`Clock`] that reads this one.
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock::custom(self.clone())
    }

    /// Moves both the monotonic and the wall time forward.
    pub fn advance(&self, duration: Duration) {
        // Relaxed: each reading stands alone; tests order their steps by other means.
        self.0.monotonic.fetch_add(nanos(duration), Ordering::Relaxed);
        self.0.wall.fetch_add(nanos(duration), Ordering::Relaxed);
    }

    /// Moves both forward as a freeze of the process would, which [`Clock::running`] leaves out.
    pub fn freeze(&self, duration: Duration) {
        let before = self.monotonic();
        self.advance(duration);
        self.0.frozen.note(before, self.monotonic());
    }

    /// Sets the wall time alone, as an administrator or NTP does; it may go back.
    pub fn set_wall(&self, wall: Timestamp) {
        self.0.wall.store(wall.unix_nanos(), Ordering::Relaxed);
    }
}

impl TimeSource for ManualClock {
    fn monotonic(&self) -> Instant {
        Instant::from_nanos(self.0.monotonic.load(Ordering::Relaxed))
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from_unix_nanos(self.0.wall.load(Ordering::Relaxed))
    }

    fn frozen(&self) -> Duration {
        Duration::from_nanos(self.0.frozen.total_nanos())
    }

    fn note_frozen(&self, from: Instant, until: Instant) {
        self.0.frozen.note(from, until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_can_go_back_while_the_monotonic_one_does_not() {
        let manual = ManualClock::default();
        let clock = manual.clock();
        let before = clock.now();
        manual.set_wall(Timestamp::from_unix_millis(1));
        assert_eq!(clock.wall().unix_millis(), 1);
        assert_eq!(clock.now(), before);
    }
}
