//! What may change while the breaker works, as far as calls look at it.

use std::time::Duration;

use super::sync::{AtomicU32, AtomicU64, Ordering};
use super::{CircuitBreakerConfig, HalfOpenRule};
use crate::clock::nanos;

/// The configuration as single atomics. Each call reads a few of them; a change takes effect knob
/// by knob, within nanoseconds.
#[derive(Debug)]
pub(super) struct Knobs {
    /// `f64` bits; NaN when off.
    failure_rate: AtomicU64,
    slow_rate: AtomicU64,
    slow_nanos: AtomicU64,
    max_half_open_nanos: AtomicU64,
    minimum_calls: AtomicU32,
    consecutive_failures: AtomicU32,
    probes: AtomicU32,
    flags: AtomicU32,
}

const SHADOW: u32 = 1;
const FIRST_FAILURE: u32 = 2;

impl Knobs {
    pub(super) fn new(config: &CircuitBreakerConfig) -> Self {
        let (wide, narrow) = (|| AtomicU64::new(0), || AtomicU32::new(0));
        let knobs = Self {
            failure_rate: wide(),
            slow_rate: wide(),
            slow_nanos: wide(),
            max_half_open_nanos: wide(),
            minimum_calls: narrow(),
            consecutive_failures: narrow(),
            probes: narrow(),
            flags: narrow(),
        };
        knobs.set(config);
        knobs
    }

    pub(super) fn set(&self, config: &CircuitBreakerConfig) {
        let rate = |percent: Option<f64>| percent.unwrap_or(f64::NAN).to_bits();
        let slow = config.slow_call_duration_threshold;
        let slow_rate = config.slow_call_rate_threshold.filter(|_| slow.is_some());
        self.failure_rate.store(rate(config.failure_rate_threshold), Ordering::Relaxed);
        self.slow_rate.store(rate(slow_rate), Ordering::Relaxed);
        self.slow_nanos.store(slow.map_or(u64::MAX, nanos), Ordering::Relaxed);
        self.max_half_open_nanos.store(nanos(config.max_wait_in_half_open), Ordering::Relaxed);
        self.minimum_calls.store(config.minimum_calls(), Ordering::Relaxed);
        let consecutive = config.consecutive_failures_threshold.unwrap_or(0);
        self.consecutive_failures.store(consecutive, Ordering::Relaxed);
        self.probes.store(config.permitted_calls_in_half_open, Ordering::Relaxed);
        let shadow = if config.shadow { SHADOW } else { 0 };
        let first = match config.half_open_rule {
            HalfOpenRule::FirstFailure => FIRST_FAILURE,
            HalfOpenRule::Rate => 0,
        };
        self.flags.store(shadow | first, Ordering::Relaxed);
    }

    /// In percent; NaN when off.
    pub(super) fn failure_rate(&self) -> f64 {
        f64::from_bits(self.failure_rate.load(Ordering::Relaxed))
    }

    /// In percent; NaN when off.
    pub(super) fn slow_rate(&self) -> f64 {
        f64::from_bits(self.slow_rate.load(Ordering::Relaxed))
    }

    /// Longer than any call when no call is slow.
    #[inline]
    pub(super) fn slow_nanos(&self) -> u64 {
        self.slow_nanos.load(Ordering::Relaxed)
    }

    pub(super) fn max_half_open(&self) -> Duration {
        Duration::from_nanos(self.max_half_open_nanos.load(Ordering::Relaxed))
    }

    pub(super) fn minimum_calls(&self) -> u32 {
        self.minimum_calls.load(Ordering::Relaxed)
    }

    /// 0 when off.
    pub(super) fn consecutive_failures(&self) -> u32 {
        self.consecutive_failures.load(Ordering::Relaxed)
    }

    pub(super) fn probes(&self) -> u32 {
        self.probes.load(Ordering::Relaxed)
    }

    pub(super) fn is_shadow(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & SHADOW != 0
    }

    pub(super) fn first_failure_opens(&self) -> bool {
        self.flags.load(Ordering::Relaxed) & FIRST_FAILURE != 0
    }
}
