use std::sync::atomic::{AtomicU64, Ordering};

use obs_core::metric::{CounterCell, GaugeCell, HistogramCell};

use crate::ledger::{DropReason, Ledger, SharedLedger};

/// A state; NaN until it is set.
#[derive(Debug)]
pub(super) struct State(AtomicU64);

impl Default for State {
    fn default() -> Self {
        Self(AtomicU64::new(f64::NAN.to_bits()))
    }
}

impl State {
    pub(super) fn get(&self) -> Option<f64> {
        let value = f64::from_bits(self.0.load(Ordering::Relaxed));
        (!value.is_nan()).then_some(value)
    }

    pub(super) fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::Relaxed);
    }

    pub(super) fn add(&self, delta: f64) {
        let add = |bits| {
            let value = f64::from_bits(bits);
            let sum = if value.is_nan() { delta } else { value + delta };
            sum.is_finite().then(|| sum.to_bits())
        };
        // The error is a sum that is no number, which leaves the state as it was.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add);
    }
}

/// Takes the values of a metric that cannot be, and counts them.
#[derive(Debug)]
pub(crate) struct Refused {
    ledger: SharedLedger,
    reason: DropReason,
}

impl Refused {
    pub(super) const fn new(ledger: SharedLedger, reason: DropReason) -> Self {
        Self { ledger, reason }
    }

    fn lose(&self) {
        let mut ledger = Ledger::default();
        ledger.append(1);
        ledger.drop_points(self.reason, 1);
        self.ledger.add(&ledger);
    }
}

impl CounterCell for Refused {
    fn add(&self, _: u64) {
        self.lose();
    }
}

impl GaugeCell for Refused {
    fn set(&self, _: f64) {
        self.lose();
    }

    fn add(&self, _: f64) {
        self.lose();
    }
}

impl HistogramCell for Refused {
    fn record(&self, _: f64) {
        self.lose();
    }
}
