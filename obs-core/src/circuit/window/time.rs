use std::time::Duration;

use super::{Sample, Totals};
use crate::circuit::sync::{AtomicU32, AtomicU64, Mutex, Ordering, lock};
use crate::clock::{Instant, nanos};

/// A ring of buckets, each a power of two of nanoseconds long so that finding it is a shift.
///
/// Recording adds to the newest bucket and is O(1). The sum of the older buckets is kept beside it
/// and computed anew, once per bucket, by the first thread that finds the time to have moved on.
///
/// A thread that is suspended between finding its bucket and adding to it adds to an older bucket;
/// only if it is suspended for the whole window does its call count too late.
#[derive(Debug)]
pub(crate) struct TimeWindow {
    shift: u32,
    newest: AtomicU64,
    /// What all buckets but the newest hold: `calls << 32 | failures`, and the slow calls.
    past: AtomicU64,
    past_slow: AtomicU32,
    buckets: Box<[Bucket]>,
    rotation: Mutex<()>,
}

#[derive(Debug)]
struct Bucket {
    /// `calls << 32 | failures`.
    calls: AtomicU64,
    slow: AtomicU32,
}

const CALL: u64 = 1 << 32;
const STEPS: u64 = 16;

impl TimeWindow {
    pub(super) fn new(length: Duration) -> Self {
        let length = nanos(length).max(STEPS);
        let shift = (length / STEPS).ilog2();
        let buckets = (0..length >> shift)
            .map(|_| Bucket { calls: AtomicU64::new(0), slow: AtomicU32::new(0) })
            .collect();
        Self {
            shift,
            newest: AtomicU64::new(0),
            past: AtomicU64::new(0),
            past_slow: AtomicU32::new(0),
            buckets,
            rotation: Mutex::new(()),
        }
    }

    fn bucket(&self, tick: u64) -> &Bucket {
        &self.buckets[(tick % self.buckets.len() as u64) as usize]
    }

    #[inline]
    pub(super) fn record(&self, now: Instant, sample: Sample) -> Totals {
        let tick = now.as_nanos() >> self.shift;
        if tick > self.newest.load(Ordering::Acquire) {
            self.rotate(tick, false);
        }
        let bucket = self.bucket(self.newest.load(Ordering::Acquire));
        let added = CALL + u64::from(sample.failed);
        let calls = bucket.calls.fetch_add(added, Ordering::Relaxed).wrapping_add(added);
        let slow = if sample.slow {
            bucket.slow.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
        } else {
            bucket.slow.load(Ordering::Relaxed)
        };
        self.with_past(calls, slow)
    }

    pub(super) fn totals(&self, now: Instant) -> Totals {
        self.rotate(now.as_nanos() >> self.shift, true);
        let bucket = self.bucket(self.newest.load(Ordering::Acquire));
        self.with_past(bucket.calls.load(Ordering::Relaxed), bucket.slow.load(Ordering::Relaxed))
    }

    fn with_past(&self, calls: u64, slow: u32) -> Totals {
        let calls = self.past.load(Ordering::Relaxed).wrapping_add(calls);
        Totals {
            calls: (calls >> 32) as u32,
            failures: calls as u32,
            slow: self.past_slow.load(Ordering::Relaxed).wrapping_add(slow),
        }
    }

    /// Makes the bucket of `tick` the newest. Without `wait`, leaves it to a thread already at it.
    #[cold]
    fn rotate(&self, tick: u64, wait: bool) {
        let _rotation = if wait {
            lock(&self.rotation)
        } else {
            match self.rotation.try_lock() {
                Ok(guard) => guard,
                Err(_) => return,
            }
        };
        let newest = self.newest.load(Ordering::Relaxed);
        if tick <= newest {
            return;
        }
        let passed = (tick - newest).min(self.buckets.len() as u64);
        for expired in tick - passed + 1..=tick {
            let bucket = self.bucket(expired);
            bucket.calls.store(0, Ordering::Relaxed);
            bucket.slow.store(0, Ordering::Relaxed);
        }
        let (mut calls, mut slow) = (0_u64, 0_u32);
        for bucket in &self.buckets {
            calls = calls.wrapping_add(bucket.calls.load(Ordering::Relaxed));
            slow = slow.wrapping_add(bucket.slow.load(Ordering::Relaxed));
        }
        self.past.store(calls, Ordering::Relaxed);
        self.past_slow.store(slow, Ordering::Relaxed);
        // Release: who sees the new bucket as the newest also sees it emptied.
        self.newest.store(tick, Ordering::Release);
    }

    pub(super) fn clear(&self) {
        let _rotation = lock(&self.rotation);
        for bucket in &self.buckets {
            bucket.calls.store(0, Ordering::Relaxed);
            bucket.slow.store(0, Ordering::Relaxed);
        }
        self.past.store(0, Ordering::Relaxed);
        self.past_slow.store(0, Ordering::Relaxed);
    }
}
