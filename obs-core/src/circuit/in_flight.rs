use std::time::Duration;

use super::shard::SHARDS;
use super::sync::{AtomicI32, AtomicU64, Mutex, Ordering, lock};
use crate::clock::{Instant, nanos};

/// Counts the calls in flight by the tick in which they started, to see those that hang.
///
/// A ring of ticks per shard. When a slot is about to be used anew, what is left in it moves to
/// `outlived`. A call that ends at that very moment is taken from the wrong one of the two; the sum
/// stays true, and so do both once the slot is used anew again.
#[derive(Debug)]
pub(super) struct InFlight {
    shift: u32,
    longest_threshold: Duration,
    /// The slots of this tick and the next are in use for them.
    turned: AtomicU64,
    turning: Mutex<()>,
    shards: Box<[Shard]>,
}

#[derive(Debug)]
#[repr(align(128))]
struct Shard {
    ticks: [AtomicI32; TICKS],
    outlived: AtomicI32,
    /// Calls of which nobody is to conclude anything any more.
    excused: AtomicI32,
}

const TICKS: usize = if cfg!(obs_loom) { 4 } else { 64 };
/// A tick is the largest power of two of nanoseconds that is at most this part of the threshold.
const TICKS_PER_THRESHOLD: u64 = 8;

impl InFlight {
    /// Ticks fit for finding calls older than `threshold`, and up to twice that.
    pub(super) fn new(threshold: Duration) -> Self {
        let shift = (nanos(threshold) / TICKS_PER_THRESHOLD).max(1).ilog2();
        let shard = || Shard {
            ticks: std::array::from_fn(|_| AtomicI32::new(0)),
            outlived: AtomicI32::new(0),
            excused: AtomicI32::new(0),
        };
        Self {
            shift,
            longest_threshold: threshold * 2,
            turned: AtomicU64::new(0),
            turning: Mutex::new(()),
            shards: (0..SHARDS).map(|_| shard()).collect(),
        }
    }

    pub(super) const fn longest_threshold(&self) -> Duration {
        self.longest_threshold
    }

    const fn tick(&self, at: Instant) -> u64 {
        at.as_nanos() >> self.shift
    }

    const fn slot(tick: u64) -> usize {
        (tick % TICKS as u64) as usize
    }

    /// Makes the ring ready for the tick of `now`, and returns when the next begins. To be called
    /// before calls enter in a new tick.
    pub(super) fn turn(&self, now: Instant) -> Instant {
        let _turning = lock(&self.turning);
        let (tick, turned) = (self.tick(now), self.turned.load(Ordering::Relaxed));
        if tick > turned {
            // One ahead: nobody who enters finds what is left of an earlier use.
            let first = (turned + 2).max((tick + 2).saturating_sub(TICKS as u64));
            for shard in &self.shards {
                for reused in first..=tick + 1 {
                    let left = shard.ticks[Self::slot(reused)].swap(0, Ordering::Relaxed);
                    shard.outlived.fetch_add(left, Ordering::Relaxed);
                }
            }
            self.turned.store(tick, Ordering::Relaxed);
        }
        Instant::from_nanos((tick.max(turned) + 1) << self.shift)
    }

    /// A call that started then, which may be a while ago, is in flight.
    pub(super) fn enter(&self, started: Instant, shard: u8) {
        self.counter(started, shard).fetch_add(1, Ordering::Relaxed);
    }

    /// A call that entered so has ended.
    pub(super) fn leave(&self, started: Instant, shard: u8) {
        self.counter(started, shard).fetch_sub(1, Ordering::Relaxed);
    }

    fn counter(&self, started: Instant, shard: u8) -> &AtomicI32 {
        let shard = &self.shards[usize::from(shard)];
        let tick = self.tick(started);
        let moved = self.turned.load(Ordering::Relaxed) + 1 >= tick + TICKS as u64;
        if moved { &shard.outlived } else { &shard.ticks[Self::slot(tick)] }
    }

    /// Of the calls in flight now nobody is to conclude anything.
    pub(super) fn excuse(&self) {
        for shard in &self.shards {
            let left = shard.ticks.iter().chain([&shard.outlived]);
            let left: i32 = left.map(|counter| counter.swap(0, Ordering::Relaxed)).sum();
            shard.excused.fetch_add(left, Ordering::Relaxed);
        }
    }

    /// A call that was excused has ended.
    pub(super) fn leave_excused(&self, shard: u8) {
        self.shards[usize::from(shard)].excused.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many calls are in flight.
    pub(super) fn len(&self) -> u32 {
        let excused = |shard: &Shard| shard.excused.load(Ordering::Relaxed);
        self.sum(|_| true, excused)
    }

    /// How many calls, without the excused, have been in flight for `threshold` or longer, at most
    /// a tick too few. The ring must have been [turned](Self::turn) to `now`.
    pub(super) fn older_than(&self, threshold: Duration, now: Instant) -> u32 {
        let boundary = self.tick(now - threshold);
        let newest = self.turned.load(Ordering::Relaxed) + 1;
        let age = |slot: usize| (newest.wrapping_sub(slot as u64)) % TICKS as u64;
        self.sum(|slot| newest < boundary + age(slot), |_| 0)
    }

    fn sum(&self, counts: impl Fn(usize) -> bool, more: impl Fn(&Shard) -> i32) -> u32 {
        let of_shard = |shard: &Shard| {
            let slots = shard.ticks.iter().enumerate().filter(|(slot, _)| counts(*slot));
            let calls: i32 = slots.map(|(_, calls)| calls.load(Ordering::Relaxed)).sum();
            calls + shard.outlived.load(Ordering::Relaxed) + more(shard)
        };
        u32::try_from(self.shards.iter().map(of_shard).sum::<i32>()).unwrap_or(0)
    }
}

#[cfg(test)]
#[cfg(not(obs_loom))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn old_calls_are_found_within_one_tick_however_they_come_and_go(
            threshold_ms in 1_u64..100_000,
            steps in prop::collection::vec((0_u32..200, any::<bool>(), any::<prop::sample::Index>()), 1..150),
        ) {
            let threshold = Duration::from_millis(threshold_ms);
            let in_flight = InFlight::new(threshold);
            let mut now = Instant::from_nanos(1_000_000_000);
            let mut open: Vec<Instant> = Vec::new();
            for (percent, ends, which) in steps {
                now = now + threshold * percent / 100;
                prop_assert!(in_flight.turn(now) > now);
                if ends && !open.is_empty() {
                    in_flight.leave(open.swap_remove(which.index(open.len())), 0);
                } else {
                    in_flight.enter(now, 0);
                    open.push(now);
                }
                let older = |age: Duration| open.iter().filter(|at| now - **at >= age).count();
                let found = in_flight.older_than(threshold, now) as usize;
                prop_assert!(found <= older(threshold));
                prop_assert!(found >= older(threshold + threshold / 8));
                prop_assert_eq!(in_flight.len() as usize, open.len());
            }
            in_flight.excuse();
            prop_assert_eq!(in_flight.older_than(Duration::ZERO, now), 0);
            prop_assert_eq!(in_flight.len() as usize, open.len());
            open.drain(..).for_each(|_| in_flight.leave_excused(0));
            prop_assert_eq!(in_flight.len(), 0);
        }
    }
}
