//! Places that threads have to themselves, so that they do not contend for a cache line.
//!
//! A count that every request adds to costs more than most of what is counted when each processor
//! has to fetch it from another; a sum over a few places is read only for reports.
//!
//! ```
//! use obs_core::shard::Sum;
//!
//! let served = Sum::default();
//! std::thread::scope(|scope| {
//!     scope.spawn(|| served.add(2));
//!     scope.spawn(|| served.add(3));
//! });
//! assert_eq!(served.get(), 5);
//! ```

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// How many places there are; threads beyond that share them.
pub const COUNT: usize = 8;

const NONE: usize = usize::MAX;

/// The place of this thread, below [`COUNT`]; threads get theirs in turn.
///
/// ```
/// use obs_core::shard;
///
/// let place = shard::of_this_thread();
/// assert!(place < shard::COUNT);
/// assert_eq!(place, shard::of_this_thread());
/// ```
#[inline]
#[must_use]
pub fn of_this_thread() -> usize {
    thread_local!(static SHARD: Cell<usize> = const { Cell::new(NONE) });
    match SHARD.get() {
        NONE => {
            SHARD.set(next());
            SHARD.get()
        }
        shard => shard,
    }
}

#[cold]
fn next() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed) % COUNT
}

/// A value by itself on two cache lines, which processors fetch in pairs.
///
/// ```
/// use obs_core::shard::Apart;
///
/// assert_eq!(align_of::<Apart<u8>>(), 128);
/// assert_eq!(Apart(7).0, 7);
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(128))]
pub struct Apart<T>(pub T);

/// A sum that many threads add to, each in its place. It wraps around at 2^64.
///
/// ```
/// use obs_core::shard::Sum;
///
/// let sum = Sum::default();
/// sum.add(7);
/// assert_eq!((sum.get(), sum.take(), sum.get()), (7, 7, 0));
/// ```
#[derive(Debug, Default)]
pub struct Sum([Apart<AtomicU64>; COUNT]);

impl Sum {
    /// Adds `value`.
    #[inline]
    pub fn add(&self, value: u64) {
        // Relaxed, here and below: a figure, not an order.
        self.0[of_this_thread()].0.fetch_add(value, Ordering::Relaxed);
    }

    /// The sum of what was added; of what is added meanwhile, some may be in it.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.iter().fold(0, |sum, part| sum.wrapping_add(part.0.load(Ordering::Relaxed)))
    }

    /// As [`get`](Self::get), and starts again from 0; nothing that is added meanwhile is lost.
    pub fn take(&self) -> u64 {
        self.0.iter().fold(0, |sum, part| sum.wrapping_add(part.0.swap(0, Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_threads_add_is_there_once() {
        let sum = Sum::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * COUNT {
                scope.spawn(|| (0..100).for_each(|_| sum.add(1)));
            }
        });
        assert_eq!(sum.get(), 2 * COUNT as u64 * 100);
        assert_eq!(sum.take(), 2 * COUNT as u64 * 100);
        assert_eq!(sum.get(), 0);
    }

    #[test]
    fn threads_do_not_all_share_one_place() {
        let places: Vec<usize> = (0..COUNT)
            .map(|_| std::thread::spawn(of_this_thread).join().expect("it does not panic"))
            .collect();
        assert!(places.iter().all(|place| *place < COUNT));
        assert!(places.iter().any(|place| *place != places[0]), "{places:?}");
    }
}
