//! What is gathered for one combination of dimension values.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use obs_core::metric::Descriptor;

use super::Histogram;
use crate::limits::METRICS_PER_RECORD;

#[derive(Debug)]
pub(super) struct Key {
    pub(super) dimensions: Vec<String>,
    pub(super) metrics: Vec<Histogram>,
    /// Metrics that the shape does not declare, as they come up.
    extras: RwLock<Vec<(Descriptor, Histogram)>>,
    /// The slowest value of the window, as the bits of a non-negative number.
    slowest: AtomicU64,
    exemplars: Mutex<Exemplars>,
    /// Events that were neither errors nor the slowest.
    rest: AtomicU64,
    /// Whether something was recorded since the last drain.
    touched: AtomicBool,
    /// Windows without anything since the last event.
    pub(super) idle: AtomicU32,
}

/// Traces that lead from an aggregated line to requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Exemplars {
    pub(super) slowest: Option<String>,
    pub(super) error: Option<String>,
}

impl Key {
    pub(super) fn new(dimensions: &[&str], metrics: usize) -> Self {
        Self {
            dimensions: dimensions.iter().map(|&value| value.to_owned()).collect(),
            metrics: (0..metrics).map(|_| Histogram::default()).collect(),
            extras: RwLock::default(),
            slowest: AtomicU64::new(0),
            exemplars: Mutex::default(),
            rest: AtomicU64::new(0),
            touched: AtomicBool::new(false),
            idle: AtomicU32::new(0),
        }
    }

    pub(super) fn touch(&self) {
        if !self.touched.load(Ordering::Relaxed) {
            self.touched.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn was_touched(&self) -> bool {
        self.touched.swap(false, Ordering::Relaxed)
    }

    /// Whether `value` is the highest of the window so far.
    pub(super) fn is_slowest(&self, value: f64) -> bool {
        let bits = value.max(0.0).to_bits();
        // The bits of non-negative numbers are ordered as the numbers are. One is added, so that
        // the first event of a window is its slowest even when it took no time at all.
        self.slowest.fetch_max(bits + 1, Ordering::Relaxed) < bits + 1
    }

    pub(super) fn note_slowest(&self, trace: &str) {
        self.lock().slowest = Some(trace.to_owned());
    }

    pub(super) fn note_error(&self, trace: &str) {
        self.lock().error = Some(trace.to_owned());
    }

    /// Whether this is the last of each `one_in` ordinary events.
    pub(super) fn is_chosen(&self, one_in: u32) -> bool {
        let place = self.rest.fetch_add(1, Ordering::Relaxed) + 1;
        place.is_multiple_of(u64::from(one_in.max(1)))
    }

    pub(super) fn take_exemplars(&self) -> Exemplars {
        self.slowest.store(0, Ordering::Relaxed);
        std::mem::take(&mut *self.lock())
    }

    /// Records an undeclared metric; `false` when there are too many of them.
    pub(super) fn record_extra(&self, metric: &Descriptor, value: f64) -> bool {
        let find = |extras: &[(Descriptor, Histogram)]| {
            let found = extras.iter().find(|extra| extra.0.name == metric.name);
            found.map(|extra| extra.1.record(value)).is_some()
        };
        if find(&self.extras.read().unwrap_or_else(PoisonError::into_inner)) {
            return true;
        }
        let mut extras = self.extras.write().unwrap_or_else(PoisonError::into_inner);
        if find(&extras) {
            return true;
        }
        if extras.len() >= METRICS_PER_RECORD {
            return false;
        }
        let histogram = Histogram::default();
        histogram.record(value);
        extras.push((*metric, histogram));
        true
    }

    pub(super) fn drain_extras(&self) -> Vec<(Descriptor, Vec<(f64, u64)>)> {
        let extras = self.extras.read().unwrap_or_else(PoisonError::into_inner);
        extras.iter().map(|(metric, histogram)| (*metric, histogram.drain())).collect()
    }

    /// How many values wait here.
    pub(super) fn pending(&self) -> u64 {
        let extras = self.extras.read().unwrap_or_else(PoisonError::into_inner);
        let extras: u64 = extras.iter().map(|extra| extra.1.count()).sum();
        self.metrics.iter().map(Histogram::count).sum::<u64>() + extras
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Exemplars> {
        self.exemplars.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
