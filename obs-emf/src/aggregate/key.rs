//! What is gathered for one combination of dimension values.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use obs_core::id::TraceId;
use obs_core::metric::Descriptor;

use super::Histogram;
use crate::declare::Shape;
use crate::limits::METRICS_PER_RECORD;

#[derive(Debug)]
pub(super) struct Key {
    /// Takes metrics that are all given at run time.
    pub(super) shape: Shape,
    pub(super) dimensions: Vec<String>,
    pub(super) metrics: Vec<Histogram>,
    /// Metrics that the shape does not declare, as they come up.
    extras: RwLock<Vec<(Descriptor, Histogram)>>,
    /// One more than the bits of the slowest value of the window, a non-negative number; 0 before
    /// the first.
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
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Exemplars {
    pub(super) slowest: Option<TraceId>,
    pub(super) error: Option<TraceId>,
    /// What `slowest` took, as in the key.
    mark: u64,
}

impl Key {
    pub(super) fn new(shape: Shape, dimensions: &[&str], metrics: usize) -> Self {
        Self {
            shape,
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

    /// Whether `value` is the highest of the window so far; `trace` is its exemplar then.
    pub(super) fn is_slowest(&self, value: f64, trace: Option<TraceId>) -> bool {
        // The bits of non-negative numbers are ordered as the numbers are. One is added, so that
        // the first event of a window is its slowest even when it took no time at all.
        let mark = value.max(0.0).to_bits() + 1;
        let is_slowest = self.slowest.load(Ordering::Relaxed) < mark
            && self.slowest.fetch_max(mark, Ordering::Relaxed) < mark;
        if is_slowest {
            let mut exemplars = self.lock();
            // A slower one may have come in between.
            if exemplars.mark < mark {
                exemplars.mark = mark;
                exemplars.slowest = trace;
            }
        }
        is_slowest
    }

    pub(super) fn note_error(&self, trace: TraceId) {
        self.lock().error = Some(trace);
    }

    /// Counts the ordinary events, from 1.
    pub(super) fn next_place(&self) -> u64 {
        self.rest.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Adds what CloudWatch bills as series: each metric with each dimension set.
    pub(super) fn add_series(&self, series: &mut HashSet<String>) {
        let extras = self.extras.read().unwrap_or_else(PoisonError::into_inner);
        let metrics = self.metrics.len() + extras.len();
        let given: Vec<&str> = self.shape.dimension_names().collect();
        for set in self.shape.dimension_sets() {
            let mut name = String::new();
            for dimension in set {
                let place = given.iter().position(|name| *name == dimension);
                let value = place.and_then(|place| self.dimensions.get(place));
                name.push_str(dimension);
                name.push('\u{1}');
                name.push_str(value.map_or("", String::as_str));
                name.push('\u{2}');
            }
            for metric in 0..metrics {
                let metric = match metric.checked_sub(self.metrics.len()) {
                    Some(extra) => extras[extra].0.name.to_owned(),
                    None => metric.to_string(),
                };
                series.insert(format!("{metric}\u{3}{name}"));
            }
        }
    }

    pub(super) fn take_exemplars(&self) -> Exemplars {
        let mut exemplars = self.lock();
        self.slowest.store(0, Ordering::Relaxed);
        std::mem::take(&mut *exemplars)
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
