use std::sync::atomic::{AtomicU64, Ordering};

use super::{Instant, nanos};

/// The time in which a process did not run, as far as somebody noticed.
#[derive(Debug)]
pub(super) struct Frozen {
    /// Up to here it has been counted, in nanoseconds.
    until: AtomicU64,
    nanos: AtomicU64,
}

impl Frozen {
    pub(super) const fn new() -> Self {
        Self { until: AtomicU64::new(0), nanos: AtomicU64::new(0) }
    }

    #[inline]
    pub(super) fn total_nanos(&self) -> u64 {
        self.nanos.load(Ordering::Relaxed)
    }

    /// Counts the time between two instants, as far as it has not been counted: a hundred timers
    /// that notice one freeze count it once.
    pub(super) fn note(&self, from: Instant, until: Instant) {
        let counted = self.until.fetch_max(until.as_nanos(), Ordering::Relaxed);
        let from = from.max(Instant::from_nanos(counted));
        self.nanos.fetch_add(nanos(until - from), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_freeze_that_many_notice_counts_once() {
        let frozen = Frozen::new();
        let at = Instant::from_nanos;
        frozen.note(at(100), at(500));
        frozen.note(at(100), at(500));
        frozen.note(at(300), at(600));
        frozen.note(at(50), at(200));
        assert_eq!(frozen.total_nanos(), 500);
    }
}
