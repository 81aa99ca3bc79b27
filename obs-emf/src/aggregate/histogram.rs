//! A log-linear histogram that many threads record into without a lock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use obs_core::shard;

/// Each power of two is divided into so many buckets, so that the two ends of a bucket differ by
/// at most 1/128. A bucket stands for the mean of what fell into it.
const BUCKET_BITS: u32 = 7;
const BUCKETS: usize = 1 << BUCKET_BITS;
const MANTISSA_BITS: u32 = 52;
const KEY_SHIFT: u32 = MANTISSA_BITS - BUCKET_BITS;
/// The place of a value in its bucket is kept with 32 bits.
const FRACTION_SHIFT: u32 = KEY_SHIFT - 32;

/// Powers of two with an array of their own: 2^-32 to 2^48. Values outside, and negative ones,
/// share a map behind a lock.
const LOWEST_KEY: u32 = (1023 - 32) << BUCKET_BITS;
const OCTAVES: usize = 80;

/// Counts values by bucket; values are finite.
///
/// A percentile read from what it hands out is within 1 % of the exact one, and so are the sum and
/// the extremes; values of which only one kind falls into a bucket come out as they are.
#[derive(Debug, Default)]
pub(crate) struct Histogram([OnceLock<Box<Shard>>; shard::COUNT]);

#[derive(Debug)]
struct Shard {
    zeros: AtomicU64,
    octaves: [OnceLock<Box<Octave>>; OCTAVES],
    rare: Mutex<BTreeMap<u32, (u64, u64)>>,
}

#[derive(Debug)]
struct Octave([Bucket; BUCKETS]);

#[derive(Debug, Default)]
struct Bucket {
    count: AtomicU64,
    /// The sum of the places of the values in the bucket.
    fractions: AtomicU64,
}

impl Histogram {
    #[inline]
    pub(crate) fn record(&self, value: f64) {
        self.record_in(shard::of_this_thread(), value);
    }

    /// As [`record`](Self::record), by a thread that knows its shard.
    #[inline]
    pub(crate) fn record_in(&self, shard: usize, value: f64) {
        self.0[shard].get_or_init(Box::default).record(value);
    }

    /// How many values it holds.
    pub(crate) fn count(&self) -> u64 {
        self.shards().map(Shard::count).sum()
    }

    /// Takes the values out: each bucket's mean with its count, in ascending order.
    pub(crate) fn drain(&self) -> Vec<(f64, u64)> {
        let mut buckets = BTreeMap::new();
        let mut zeros = 0;
        for shard in self.shards() {
            zeros += shard.zeros.swap(0, Ordering::Relaxed);
            shard.drain_into(&mut buckets);
        }
        let mut points: Vec<_> = buckets
            .into_iter()
            .map(|(key, (count, fractions))| (mean(key, count, fractions), count))
            .collect();
        if zeros > 0 {
            points.push((0.0, zeros));
        }
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        points
    }

    fn shards(&self) -> impl Iterator<Item = &Shard> {
        self.0.iter().filter_map(OnceLock::get).map(|shard| &**shard)
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self {
            zeros: AtomicU64::new(0),
            octaves: [const { OnceLock::new() }; OCTAVES],
            rare: Mutex::default(),
        }
    }
}

impl Shard {
    #[inline]
    fn record(&self, value: f64) {
        if value == 0.0 {
            self.zeros.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let bits = value.to_bits();
        let key = (bits >> KEY_SHIFT) as u32;
        let fraction = (bits >> FRACTION_SHIFT) & 0xffff_ffff;
        let index = key.wrapping_sub(LOWEST_KEY) as usize;
        let Some(octave) = self.octaves.get(index / BUCKETS) else {
            let mut rare = self.rare.lock().unwrap_or_else(PoisonError::into_inner);
            let bucket = rare.entry(key).or_default();
            bucket.0 += 1;
            bucket.1 = bucket.1.saturating_add(fraction);
            return;
        };
        let octave =
            octave.get_or_init(|| Box::new(Octave(std::array::from_fn(|_| Bucket::default()))));
        let bucket = &octave.0[index % BUCKETS];
        // Two relaxed additions: a drain between them shifts a mean inside its bucket, and the
        // count is exact whatever happens.
        bucket.fractions.fetch_add(fraction, Ordering::Relaxed);
        bucket.count.fetch_add(1, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        let octaves = self.octaves.iter().filter_map(OnceLock::get);
        let dense = octaves.flat_map(|octave| &octave.0);
        let dense = dense.map(|bucket| bucket.count.load(Ordering::Relaxed)).sum::<u64>();
        let rare = self.rare.lock().unwrap_or_else(PoisonError::into_inner);
        let rare = rare.values().map(|bucket| bucket.0).sum::<u64>();
        self.zeros.load(Ordering::Relaxed) + dense + rare
    }

    fn drain_into(&self, buckets: &mut BTreeMap<u32, (u64, u64)>) {
        let mut add = |key, count: u64, fractions: u64| {
            if count > 0 {
                let sum: &mut (u64, u64) = buckets.entry(key).or_default();
                sum.0 += count;
                sum.1 = sum.1.saturating_add(fractions);
            }
        };
        for (octave, slot) in self.octaves.iter().enumerate() {
            let Some(slot) = slot.get() else { continue };
            for (index, bucket) in slot.0.iter().enumerate() {
                let count = bucket.count.swap(0, Ordering::Relaxed);
                if count > 0 {
                    let fractions = bucket.fractions.swap(0, Ordering::Relaxed);
                    add(LOWEST_KEY + (octave * BUCKETS + index) as u32, count, fractions);
                }
            }
        }
        let rare = std::mem::take(&mut *self.rare.lock().unwrap_or_else(PoisonError::into_inner));
        for (key, (count, fractions)) in rare {
            add(key, count, fractions);
        }
    }
}

/// The mean of the values in a bucket.
fn mean(key: u32, count: u64, fractions: u64) -> f64 {
    let place = (fractions / count).min(0xffff_ffff);
    f64::from_bits((u64::from(key) << KEY_SHIFT) | (place << FRACTION_SHIFT))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_of_one_kind_come_out_as_they_are() {
        let histogram = Histogram::default();
        for value in [1.0, 200.0, 0.0, -3.0, 12.5, 1e300, 1e-200] {
            for _ in 0..3 {
                histogram.record(value);
            }
        }
        assert_eq!(histogram.count(), 21);
        let values: Vec<f64> = histogram.drain().into_iter().map(|point| point.0).collect();
        let expected = [-3.0, 0.0, 1e-200, 1.0, 12.5, 200.0, 1e300];
        for (value, expected) in values.iter().zip(expected) {
            assert!((value - expected).abs() <= expected.abs() * 1e-9, "{value} {expected}");
        }
        assert_eq!(histogram.drain(), []);
    }

    #[test]
    fn sixty_four_threads_lose_nothing_while_another_drains() {
        let histogram = Histogram::default();
        let mut drained = 0;
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..64)
                .map(|worker| {
                    let histogram = &histogram;
                    scope.spawn(move || {
                        for value in 0..1_000 {
                            histogram.record(f64::from(value * worker));
                        }
                    })
                })
                .collect();
            while workers.iter().any(|worker| !worker.is_finished()) {
                drained += histogram.drain().iter().map(|point| point.1).sum::<u64>();
            }
        });
        drained += histogram.drain().iter().map(|point| point.1).sum::<u64>();
        assert_eq!(drained, 64_000);
    }

    proptest! {
        #[test]
        fn percentiles_are_within_one_percent(
            mut values in prop::collection::vec(
                prop_oneof![0.001_f64..100_000.0, 0.5_f64..2.0, Just(7.0)], 1..2_000,
            ),
        ) {
            let histogram = Histogram::default();
            for &value in &values {
                histogram.record(value);
            }
            values.sort_by(f64::total_cmp);
            let points = histogram.drain();
            prop_assert_eq!(points.iter().map(|point| point.1).sum::<u64>(), values.len() as u64);
            for percent in [50.0, 90.0, 99.0, 99.9] {
                let rank = ((values.len() as f64 * percent / 100.0).ceil() as usize).max(1);
                let exact = values[rank - 1];
                let mut seen = 0;
                let found = points.iter().find(|point| {
                    seen += point.1 as usize;
                    seen >= rank
                });
                let found = found.map(|point| point.0).unwrap();
                // The two ends of a bucket differ by 1/128, and the mean lies between them.
                prop_assert!((found - exact).abs() <= exact / 100.0, "{found} {exact}");
            }
        }
    }
}
