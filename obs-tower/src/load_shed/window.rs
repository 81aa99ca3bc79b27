use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use obs_core::clock::Instant;

use super::gradient::Observation;

/// What the present window has seen.
#[derive(Debug, Default)]
pub(super) struct Window {
    ends: AtomicU64,
    samples: AtomicU64,
    nanos: AtomicU64,
    most: AtomicU32,
    overload: AtomicBool,
}

/// Fewer samples than this say nothing about a window.
const SAMPLES: u64 = 10;
/// So many calls of each window are measured, and of the rest one in [`ONE_IN`]. A reading of the
/// precise clock costs more than all else here, and a mean does not need every call.
const ALL_OF: u64 = 64;
/// A prime, so that it does not keep step with a pattern in the traffic.
const ONE_IN: u32 = 13;

impl Window {
    pub(super) fn ending_at(at: Instant) -> Self {
        Self { ends: AtomicU64::new(at.as_nanos()), ..Self::default() }
    }

    /// Whether the duration of the call that begins now is wanted.
    #[inline]
    pub(super) fn wants_a_sample(&self) -> bool {
        thread_local!(static TURN: Cell<u32> = const { Cell::new(0) });
        if self.samples.load(Ordering::Relaxed) < ALL_OF {
            return true;
        }
        let turn = TURN.get();
        TURN.set(if turn == 0 { ONE_IN - 1 } else { turn - 1 });
        turn == 0
    }

    /// So many calls are in flight.
    #[inline]
    pub(super) fn saw(&self, in_flight: u32) {
        if in_flight > self.most.load(Ordering::Relaxed) {
            self.most.fetch_max(in_flight, Ordering::Relaxed);
        }
    }

    /// A call took so long.
    pub(super) fn add(&self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
        self.samples.fetch_add(1, Ordering::Relaxed);
    }

    /// There was too much.
    pub(super) fn overloaded(&self) {
        self.overload.store(true, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn is_over(&self, now: Instant) -> bool {
        now.as_nanos() >= self.ends.load(Ordering::Relaxed)
    }

    /// Ends it and begins the next, of this length; `None` if it is not over, or has seen too
    /// little. The caller holds a lock. Without samples the latency is `baseline`.
    pub(super) fn end(
        &self,
        now: Instant,
        length: Duration,
        in_flight: u32,
        baseline: f64,
    ) -> Option<Observation> {
        let samples = self.samples.load(Ordering::Relaxed);
        let overload = self.overload.load(Ordering::Relaxed);
        if !self.is_over(now) || (samples < SAMPLES && !overload) {
            return None;
        }
        self.ends.store((now + length).as_nanos(), Ordering::Relaxed);
        self.overload.store(false, Ordering::Relaxed);
        let samples = self.samples.swap(0, Ordering::Relaxed);
        let nanos = self.nanos.swap(0, Ordering::Relaxed);
        let in_flight = self.most.swap(in_flight, Ordering::Relaxed);
        #[allow(clippy::cast_precision_loss, reason = "a mean of latencies")]
        let latency = if samples == 0 { baseline } else { nanos.max(1) as f64 / samples as f64 };
        Some(Observation { latency, in_flight, overload })
    }
}
