//! The runtime's paused time as a clock, for tests.

use obs_core::clock::{Clock, Instant, TimeSource, Timestamp};

/// Reads the time of the tokio runtime in which it was made.
pub(crate) fn clock() -> Clock {
    Clock::custom(RuntimeTime(tokio::time::Instant::now()))
}

#[derive(Debug)]
struct RuntimeTime(tokio::time::Instant);

impl TimeSource for RuntimeTime {
    fn monotonic(&self) -> Instant {
        Instant::from_nanos(1_000_000_000) + self.0.elapsed()
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from_unix_millis(1_767_225_600_000).saturating_add(self.0.elapsed())
    }
}
