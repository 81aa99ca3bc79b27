use std::cell::Cell;
use std::time::Duration;

use super::sync::{AtomicI64, AtomicU64, Ordering};
use crate::clock::{Instant, nanos};

/// Counts the calls in flight by the tick in which they started, to see those that hang.
///
/// A ring of ticks per shard; a call that outlives the ring moves to `outlived`. Threads use
/// different shards, so that admissions do not contend for a cache line.
#[derive(Debug)]
pub(super) struct InFlight {
    shift: u32,
    longest_threshold: Duration,
    shards: Box<[Shard]>,
}

#[derive(Debug)]
#[repr(align(128))]
struct Shard {
    /// `tick << 32 | calls`; ticks wrap after 2^32, which only matters to calls that old.
    ticks: [AtomicU64; TICKS],
    /// May be below zero for the moment between a slot's reuse and the addition here.
    outlived: AtomicI64,
}

const TICKS: usize = 32;
const SHARDS: usize = if cfg!(obs_loom) { 1 } else { 4 };
/// A tick is the largest power of two of nanoseconds that is at most this part of the threshold.
const TICKS_PER_THRESHOLD: u64 = 8;
const COUNT: u64 = u32::MAX as u64;

/// Where a call was counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    tick: u32,
    shard: u8,
}

impl InFlight {
    /// Ticks fit for finding calls older than `threshold`, and up to twice that.
    pub(super) fn new(threshold: Duration) -> Self {
        let shift = (nanos(threshold) / TICKS_PER_THRESHOLD).max(1).ilog2();
        let shard = || Shard {
            ticks: std::array::from_fn(|_| AtomicU64::new(0)),
            outlived: AtomicI64::new(0),
        };
        Self {
            shift,
            longest_threshold: threshold * 2,
            shards: (0..SHARDS).map(|_| shard()).collect(),
        }
    }

    pub(super) const fn longest_threshold(&self) -> Duration {
        self.longest_threshold
    }

    fn tick(&self, now: Instant) -> u32 {
        (now.as_nanos() >> self.shift) as u32
    }

    /// The tick of `now`, for noticing that a new one began.
    pub(super) fn epoch(&self, now: Instant) -> u64 {
        now.as_nanos() >> self.shift
    }

    #[inline]
    pub(super) fn enter(&self, now: Instant) -> Place {
        let index = shard_of_this_thread();
        let shard = &self.shards[index];
        let tick = self.tick(now);
        let slot = &shard.ticks[tick as usize % TICKS];
        let mut old = slot.load(Ordering::Relaxed);
        loop {
            let (slot_tick, calls) = ((old >> 32) as u32, old & COUNT);
            let same = slot_tick == tick;
            let new = (u64::from(tick) << 32) | if same { calls + 1 } else { 1 };
            match slot.compare_exchange_weak(old, new, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => {
                    if !same && calls > 0 {
                        shard.outlived.fetch_add(calls as i64, Ordering::Relaxed);
                    }
                    return Place { tick, shard: index as u8 };
                }
                Err(now) => old = now,
            }
        }
    }

    #[inline]
    pub(super) fn leave(&self, place: Place) {
        let shard = &self.shards[usize::from(place.shard)];
        let slot = &shard.ticks[place.tick as usize % TICKS];
        let mut old = slot.load(Ordering::Relaxed);
        while (old >> 32) as u32 == place.tick {
            match slot.compare_exchange_weak(old, old - 1, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => old = now,
            }
        }
        shard.outlived.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many calls are in flight.
    pub(super) fn len(&self) -> u32 {
        self.count(|_| true)
    }

    /// How many calls have been in flight for `threshold` or longer, at most a tick too few.
    pub(super) fn older_than(&self, threshold: Duration, now: Instant) -> u32 {
        let Some(started_by) = now.as_nanos().checked_sub(nanos(threshold)) else { return 0 };
        let boundary = (started_by >> self.shift) as u32;
        // Wrapping comparison: a tick is older when it lies behind the boundary.
        self.count(|tick| (tick.wrapping_sub(boundary) as i32) < 0)
    }

    fn count(&self, counts: impl Fn(u32) -> bool) -> u32 {
        let mut sum = 0_i64;
        for shard in &self.shards {
            for slot in &shard.ticks {
                let slot = slot.load(Ordering::Relaxed);
                if counts((slot >> 32) as u32) {
                    sum += (slot & COUNT) as i64;
                }
            }
            sum += shard.outlived.load(Ordering::Relaxed);
        }
        u32::try_from(sum.max(0)).unwrap_or(u32::MAX)
    }
}

fn shard_of_this_thread() -> usize {
    thread_local!(static SHARD: Cell<usize> = const { Cell::new(usize::MAX) });
    if SHARDS == 1 {
        return 0;
    }
    SHARD.with(|shard| {
        if shard.get() == usize::MAX {
            shard.set(next_shard());
        }
        shard.get()
    })
}

#[cold]
fn next_shard() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS
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
            let mut open: Vec<(Instant, Place)> = Vec::new();
            for (percent, ends, which) in steps {
                now = now + threshold * percent / 100;
                if ends && !open.is_empty() {
                    let (_, place) = open.swap_remove(which.index(open.len()));
                    in_flight.leave(place);
                } else {
                    open.push((now, in_flight.enter(now)));
                }
                let older = |age: Duration| open.iter().filter(|(at, _)| now - *at >= age).count();
                let found = in_flight.older_than(threshold, now) as usize;
                prop_assert!(found <= older(threshold));
                prop_assert!(found >= older(threshold + threshold / 8));
                prop_assert_eq!(in_flight.len() as usize, open.len());
            }
            for (_, place) in open.drain(..) {
                in_flight.leave(place);
            }
            prop_assert_eq!(in_flight.len(), 0);
        }
    }
}
