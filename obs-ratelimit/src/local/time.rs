use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use obs_core::clock::Clock;

/// Which clock a limit is timed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeBase {
    /// The monotonic clock: cheap, and still while the machine is suspended.
    Monotonic,
    /// [`Steady`] time: since the Unix epoch, and running on in suspension.
    Steady,
}

/// How exactly the time is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grain {
    /// To the nanosecond, which costs more than all the rest of a decision.
    Exact,
    /// As the kernel's timer last left it: up to [`TICK`] late, never early.
    Tick,
}

/// By how much a reading of [`Grain::Tick`] is late at most: the pause between two interrupts of a
/// kernel that has 100 of them a second, which is the fewest (`CONFIG_HZ_100`).
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Time since the Unix epoch that never goes back.
///
/// It runs with the monotonic clock and follows the wall clock only forward, and only when that
/// has gone ahead by more than [`Steady::TOLERANCE`]: a suspended machine, or a clock set forward.
/// A wall clock set back is not followed, so it neither refuses wrongly nor grants anew.
#[derive(Debug, Default)]
struct Steady {
    offset: AtomicU64,
}

impl Steady {
    const TOLERANCE: Duration = Duration::from_secs(1);

    #[inline]
    fn now(&self, clock: &Clock, grain: Grain) -> u64 {
        let (monotonic, wall) = match grain {
            Grain::Exact => (clock.now(), clock.wall()),
            Grain::Tick => (clock.coarse(), clock.coarse_wall()),
        };
        let (monotonic, wall) = (monotonic.as_nanos(), wall.unix_nanos());
        // Relaxed: the offset stands alone and only grows.
        let now = monotonic.saturating_add(self.offset.load(Ordering::Relaxed));
        let ahead = wall.saturating_sub(now);
        if ahead <= Self::TOLERANCE.as_nanos() as u64 {
            return now;
        }
        let offset = wall.saturating_sub(monotonic);
        let latest = self.offset.fetch_max(offset, Ordering::Relaxed).max(offset);
        monotonic.saturating_add(latest)
    }
}

/// The clocks of a limiter.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    pub(crate) clock: Clock,
    steady: Steady,
}

impl Timer {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, steady: Steady::default() }
    }

    #[inline]
    pub(crate) fn now(&self, base: TimeBase, grain: Grain) -> u64 {
        match (base, grain) {
            (TimeBase::Monotonic, Grain::Exact) => self.clock.now().as_nanos(),
            (TimeBase::Monotonic, Grain::Tick) => self.clock.coarse().as_nanos(),
            (TimeBase::Steady, grain) => self.steady.now(&self.clock, grain),
        }
    }
}

#[cfg(test)]
mod tests {
    use obs_core::clock::{ManualClock, Timestamp};

    use super::*;

    #[test]
    fn rl_8_a_wall_clock_set_back_is_not_followed() {
        let manual = ManualClock::default();
        let (clock, steady) = (manual.clock(), Steady::default());
        let first = steady.now(&clock, Grain::Exact);
        assert_eq!(first, clock.wall().unix_nanos());
        manual.set_wall(Timestamp::from_unix_millis(1));
        manual.advance(Duration::from_millis(5));
        assert_eq!(steady.now(&clock, Grain::Exact) - first, 5_000_000);
    }

    #[test]
    fn rl_8_a_suspended_machine_catches_up() {
        let manual = ManualClock::default();
        let (clock, steady) = (manual.clock(), Steady::default());
        let first = steady.now(&clock, Grain::Exact);
        manual.set_wall(clock.wall().saturating_add(Duration::from_secs(3_600)));
        assert_eq!(steady.now(&clock, Grain::Exact) - first, 3_600_000_000_000);
    }
}
