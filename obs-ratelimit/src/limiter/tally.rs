use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use obs_core::metric::Counter;

/// A count for the control's snapshot and for the metric.
///
/// Threads count in lines of their own: a count that all of them share would cost more than the
/// decision that is counted.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    stripes: [Stripe; STRIPES],
    metric: Counter,
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Stripe(AtomicU64);

const STRIPES: usize = 8;

/// The stripe of this thread.
#[inline]
fn own() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = THREADS.fetch_add(1, Ordering::Relaxed) % STRIPES;
    }
    OWN.with(|own| *own)
}

impl Tally {
    pub(super) fn new(metric: Counter) -> Self {
        Self { metric, ..Self::default() }
    }

    #[inline]
    pub(super) fn add(&self) {
        // Relaxed: a figure, not an order.
        self.stripes[own()].0.fetch_add(1, Ordering::Relaxed);
        self.metric.add(1);
    }

    pub(super) fn count(&self) -> u64 {
        self.stripes.iter().map(|stripe| stripe.0.load(Ordering::Relaxed)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_threads_count_is_counted_once() {
        let tally = Tally::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * STRIPES {
                scope.spawn(|| (0..100).for_each(|_| tally.add()));
            }
        });
        assert_eq!(tally.count(), 2 * STRIPES as u64 * 100);
    }
}
