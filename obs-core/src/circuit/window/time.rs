use std::time::Duration;

use super::{Sample, Totals};
use crate::circuit::shard::SHARDS;
use crate::circuit::sync::{AtomicU32, AtomicU64, Mutex, Ordering, lock};
use crate::clock::{Instant, nanos};

/// A ring of buckets, each a power of two of nanoseconds long so that finding it is a shift.
///
/// Recording adds to the newest bucket of the thread's shard. The first thread that finds the time to
/// have moved on empties the buckets that come next; a call that did well does not wait for it and
/// adds to the bucket before, and is lost if that is as old as the window. The sum is read bucket
/// by bucket: there are as many, whatever the traffic.
///
/// A thread that is suspended between finding its bucket and adding to it adds to an older bucket;
/// only if it is suspended for the whole window does its call count too late.
#[derive(Debug)]
pub(crate) struct TimeWindow {
    shift: u32,
    /// How many buckets the window is long.
    length: u64,
    newest: AtomicU64,
    shards: Box<[Shard]>,
    rotation: Mutex<()>,
}

#[derive(Debug)]
#[repr(align(128))]
struct Shard([Bucket; BUCKETS]);

#[derive(Debug)]
struct Bucket {
    /// `calls << 32 | failures`.
    calls: AtomicU64,
    slow: AtomicU32,
}

const CALL: u64 = 1 << 32;
/// A bucket is at most this part of the window long, and at least half of that.
const STEPS: u64 = 16;
const BUCKETS: usize = 32;

impl Bucket {
    fn read(&self) -> (u64, u32) {
        (self.calls.load(Ordering::Relaxed), self.slow.load(Ordering::Relaxed))
    }

    fn clear(&self) {
        self.calls.store(0, Ordering::Relaxed);
        self.slow.store(0, Ordering::Relaxed);
    }
}

impl TimeWindow {
    pub(super) fn new(length: Duration) -> Self {
        let length = nanos(length).max(STEPS);
        let shift = (length / STEPS).ilog2();
        let bucket = |_| Bucket { calls: AtomicU64::new(0), slow: AtomicU32::new(0) };
        Self {
            shift,
            length: length >> shift,
            newest: AtomicU64::new(0),
            shards: (0..SHARDS).map(|_| Shard(std::array::from_fn(bucket))).collect(),
            rotation: Mutex::new(()),
        }
    }

    const fn index(tick: u64) -> usize {
        (tick % BUCKETS as u64) as usize
    }

    /// Records a call; `true` if meanwhile others have become too old.
    #[inline]
    pub(super) fn record(&self, now: Instant, shard: u8, sample: Sample) -> bool {
        let tick = now.as_nanos() >> self.shift;
        let mut newest = self.newest.load(Ordering::Acquire);
        let moved_on = tick > newest;
        if moved_on {
            newest = self.rotate(tick, sample.failed || sample.slow);
        }
        let bucket = &self.shards[usize::from(shard)].0[Self::index(newest)];
        bucket.calls.fetch_add(CALL + u64::from(sample.failed), Ordering::Relaxed);
        if sample.slow {
            bucket.slow.fetch_add(1, Ordering::Relaxed);
        }
        moved_on
    }

    pub(super) fn totals(&self, now: Instant) -> Totals {
        let newest = self.rotate(now.as_nanos() >> self.shift, true);
        let (mut calls, mut slow) = (0_u64, 0_u32);
        for shard in &self.shards {
            for tick in (newest + 1).saturating_sub(self.length)..=newest {
                let (more_calls, more_slow) = shard.0[Self::index(tick)].read();
                calls = calls.wrapping_add(more_calls);
                slow = slow.wrapping_add(more_slow);
            }
        }
        Totals { calls: (calls >> 32) as u32, failures: calls as u32, slow }
    }

    /// Makes the bucket of `tick` the newest, and returns the newest. Without `wait`, leaves it to
    /// a thread already at it.
    #[cold]
    fn rotate(&self, tick: u64, wait: bool) -> u64 {
        let newest = self.newest.load(Ordering::Acquire);
        if tick <= newest {
            return newest;
        }
        let _rotation = if wait {
            lock(&self.rotation)
        } else {
            match self.rotation.try_lock() {
                Ok(guard) => guard,
                Err(_) => return newest,
            }
        };
        let newest = self.newest.load(Ordering::Relaxed);
        if tick <= newest {
            return newest;
        }
        let passed = (tick - newest).min(BUCKETS as u64);
        for reused in tick - passed + 1..=tick {
            self.shards.iter().for_each(|shard| shard.0[Self::index(reused)].clear());
        }
        // Release: who sees the new bucket as the newest also sees it emptied.
        self.newest.store(tick, Ordering::Release);
        tick
    }

    pub(super) fn clear(&self) {
        let _rotation = lock(&self.rotation);
        for shard in &self.shards {
            shard.0.iter().for_each(Bucket::clear);
        }
    }
}
