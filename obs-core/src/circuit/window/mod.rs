//! The sliding windows: what the last calls, or the last seconds, looked like.

mod count;
mod time;

use std::time::Duration;

use self::count::CountWindow;
use self::time::TimeWindow;
use crate::clock::Instant;

/// Which calls a breaker judges by.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::circuit::{CircuitBreakerConfig, SlidingWindow};
///
/// // The last 200 calls, or the calls of the last half minute.
/// let by_count = CircuitBreakerConfig::new().sliding_window(SlidingWindow::Count(200));
/// let by_time = CircuitBreakerConfig::new()
///     .sliding_window(SlidingWindow::Time(Duration::from_secs(30)));
/// assert!(by_count.validate().is_ok() && by_time.validate().is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlidingWindow {
    /// The newest `n` calls, 1 to 1,048,575.
    Count(u32),
    /// The calls that ended within the duration, 10 ms to 24 h.
    ///
    /// It slides in steps of at most a sixteenth of its length: what is older than the window never
    /// counts, what is younger than seven eighths of it always does.
    Time(Duration),
}

/// What a window holds.
///
/// ```
/// use obs_core::circuit::CircuitBreaker;
/// use obs_core::outcome::Outcome;
///
/// let breaker = CircuitBreaker::builder("inventory").build()?;
/// breaker.try_acquire()?.settle(Outcome::Success);
/// breaker.try_acquire()?.settle(Outcome::ServerError);
/// let totals = breaker.totals();
/// assert_eq!((totals.calls, totals.failures, totals.slow), (2, 1, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Calls, without the ignored ones.
    pub calls: u32,
    /// Failed calls, slow or not.
    pub failures: u32,
    /// Slow calls, failed or not.
    pub slow: u32,
}

/// One recorded call; by default it did well.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    pub(super) failed: bool,
    pub(super) slow: bool,
}

#[derive(Debug)]
pub(super) enum Window {
    Count(CountWindow),
    Time(TimeWindow),
}

impl Window {
    pub(super) fn new(kind: SlidingWindow) -> Self {
        match kind {
            SlidingWindow::Count(size) => Self::Count(CountWindow::new(size)),
            SlidingWindow::Time(length) => Self::Time(TimeWindow::new(length)),
        }
    }

    /// Records a call that ended at `now`, from a thread of `shard`.
    ///
    /// `true` if the rates may have risen although the call did well: others have become too old.
    #[inline]
    pub(super) fn record(&self, now: Instant, shard: u8, sample: Sample) -> bool {
        match self {
            Self::Count(window) => {
                window.record(sample);
                false
            }
            Self::Time(window) => window.record(now, shard, sample),
        }
    }

    /// What it holds at `now`.
    pub(super) fn totals(&self, now: Instant) -> Totals {
        match self {
            Self::Count(window) => window.totals(),
            Self::Time(window) => window.totals(now),
        }
    }

    /// Empties it. Only for a window that no admission uses at the moment.
    pub(super) fn clear(&self) {
        match self {
            Self::Count(window) => window.clear(),
            Self::Time(window) => window.clear(),
        }
    }
}

#[cfg(test)]
#[cfg(not(obs_loom))]
mod tests;
