use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use obs_core::clock::{Clock, Timestamp};
use obs_core::log::{ValueRef, with_buffer};
use obs_core::metric::Unit;

use super::flusher::Drain;
use super::key::Key;
use crate::declare::Shape;
use crate::encode::number::{Checked, check};
use crate::encode::{ABSENT, Extra, Record, Series};
use crate::ledger::{DropReason, Ledger, Repair, SharedLedger};
use crate::sink::Sink;

/// What becomes of events of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Mode {
    /// Each event's line carries its metrics.
    #[default]
    PerRequest,
    /// Metrics go out once for each key and window; the events' lines are bare.
    Aggregated,
    /// Metrics are aggregated; lines are written for errors, for the slowest event of each key
    /// and window so far, and for one in `one_in` of the rest, each with its weight.
    Hybrid {
        /// At least 1.
        one_in: u32,
    },
}

/// What to write of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Emission {
    /// Whether the event's line is written.
    pub line: bool,
    /// Whether the line carries the metrics.
    pub metrics: bool,
    /// How many events the line stands for; `Some` in hybrid mode, as the field `sample_weight`.
    pub weight: Option<u32>,
}

/// What makes an event worth keeping.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Exemplar<'a> {
    /// The trace, 32 hexadecimal digits.
    pub trace_id: Option<&'a str>,
    /// Whether it failed.
    pub is_error: bool,
}

impl<'a> Exemplar<'a> {
    /// The exemplar of an event.
    #[must_use]
    pub const fn new(trace_id: Option<&'a str>, is_error: bool) -> Self {
        Self { trace_id, is_error }
    }
}

/// The most keys unless set otherwise.
const DEFAULT_KEYS: usize = 1_000;
/// A key without events is forgotten after so many windows.
const IDLE_WINDOWS: u32 = 6;
/// What stands for dimension values when there are too many keys.
const OTHER: &str = "__other__";

/// Gathers the metrics of events by their dimension values.
///
/// Bounded: events with new dimension values go under `__other__` once there are
/// [`max_keys`](Self::max_keys) keys. Each metric is a distribution, of which p50 to p99.9 stay
/// within 1 %.
pub struct EventAggregator {
    shape: Shape,
    clock: Clock,
    mode: Mode,
    slowest_by: Option<usize>,
    max_keys: usize,
    keys: RwLock<HashMap<Box<[u8]>, Arc<Key>>>,
    ledger: SharedLedger,
}

impl EventAggregator {
    /// Gathers events of `shape`.
    #[must_use]
    pub fn new(shape: Shape, mode: Mode, clock: Clock) -> Self {
        Self {
            shape,
            clock,
            mode,
            slowest_by: None,
            max_keys: DEFAULT_KEYS,
            keys: RwLock::default(),
            ledger: SharedLedger::default(),
        }
    }

    /// The shape of the events.
    #[must_use]
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The metric, by its place in the shape, whose highest value makes an event the slowest.
    #[must_use]
    pub const fn slowest_by(mut self, metric: usize) -> Self {
        self.slowest_by = Some(metric);
        self
    }

    /// The most combinations of dimension values. Default 1,000.
    #[must_use]
    pub const fn max_keys(mut self, keys: usize) -> Self {
        self.max_keys = keys;
        self
    }

    /// Decides about an event and, unless its line carries them, gathers its metrics.
    ///
    /// Does not allocate once the key is known and its buckets exist.
    pub fn observe(
        &self,
        dimensions: &[&str],
        values: &[f64],
        extras: &[Extra<'_>],
        exemplar: Exemplar<'_>,
    ) -> Emission {
        let one_in = match self.mode {
            Mode::PerRequest => {
                return Emission { line: true, metrics: true, weight: None };
            }
            Mode::Aggregated => None,
            Mode::Hybrid { one_in } => Some(one_in),
        };
        let mut ledger = Ledger::default();
        let key = self.key(dimensions, &mut ledger);
        key.touch();
        for (index, &value) in values.iter().enumerate() {
            if value.to_bits() == ABSENT.to_bits() {
                continue;
            }
            match (key.metrics.get(index), number(value, &mut ledger)) {
                (_, None) => {}
                (Some(histogram), Some(value)) => histogram.record(value),
                (None, Some(_)) => lose(&mut ledger, DropReason::InvalidName),
            }
        }
        for &(metric, value) in extras {
            if let Err(reason) = self.shape.fault_of(metric.name) {
                lose(&mut ledger, reason);
            } else if let Some(value) = number(value, &mut ledger)
                && !key.record_extra(metric, value)
            {
                lose(&mut ledger, DropReason::QueueFull);
            }
        }
        self.ledger.add(&ledger);
        let slowest = self.slowest_by.and_then(|index| values.get(index)).copied();
        let is_slowest = slowest.is_some_and(|value| key.is_slowest(value));
        if let Some(trace) = exemplar.trace_id {
            if is_slowest {
                key.note_slowest(trace);
            }
            if exemplar.is_error {
                key.note_error(trace);
            }
        }
        match one_in {
            None => Emission { line: true, metrics: false, weight: None },
            Some(_) if exemplar.is_error || is_slowest => {
                Emission { line: true, metrics: false, weight: Some(1) }
            }
            Some(one_in) => {
                let line = key.is_chosen(one_in);
                Emission { line, metrics: false, weight: line.then_some(one_in.max(1)) }
            }
        }
    }

    /// Takes an event of the user's own: its line goes to `sink` as the mode says.
    pub fn emit(&self, record: &Record<'_>, sink: &dyn Sink) -> Emission {
        let trace = record.ids.trace_id.map(|id| id.to_hex());
        let trace = trace.as_ref().map(|hex| hex.as_str());
        let exemplar = Exemplar::new(trace, record.is_error);
        let emission = self.observe(record.dimensions, record.values, record.extras, exemplar);
        if emission.metrics {
            sink.emit(record);
        } else if emission.line {
            let bare = Record { values: &[], extras: &[], ..*record };
            match emission.weight {
                None => sink.emit(&bare),
                Some(weight) => {
                    let mut fields = record.fields.to_vec();
                    fields.push(("sample_weight", ValueRef::U64(u64::from(weight))));
                    sink.emit(&Record { fields: &fields, ..bare });
                }
            }
        }
        emission
    }

    /// The key of these values, which is found without allocating.
    fn key(&self, dimensions: &[&str], ledger: &mut Ledger) -> Arc<Key> {
        with_buffer(|bytes| {
            for value in dimensions {
                bytes.extend_from_slice(value.as_bytes());
                // No byte of UTF-8, so that different values never make the same key.
                bytes.push(0xff);
            }
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(key) = keys.get(bytes.as_slice()) {
                return key.clone();
            }
            drop(keys);
            let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
            let metrics = self.shape.metrics().len();
            if keys.len() < self.max_keys || keys.contains_key(bytes.as_slice()) {
                let new = || Arc::new(Key::new(dimensions, metrics));
                return keys.entry(bytes.as_slice().into()).or_insert_with(new).clone();
            }
            ledger.repair(Repair::SeriesBudget);
            let others = vec![OTHER; dimensions.len()];
            // Apart from every real key, which ends in 0xff or is empty.
            let new = || Arc::new(Key::new(&others, metrics));
            keys.entry(Box::from(&b"other"[..])).or_insert_with(new).clone()
        })
    }

    fn drain_key(&self, key: &Key, now: Timestamp, sink: &dyn Sink) {
        let metrics = self.shape.metrics();
        let points: Vec<_> = key.metrics.iter().map(super::Histogram::drain).collect();
        let extras = key.drain_extras();
        let exemplars = key.take_exemplars();
        let declared = metrics.iter().zip(&points).map(|(metric, points)| {
            Series::new(&metric.name, metric.unit, points).resolution(metric.resolution)
        });
        let undeclared = extras.iter().map(|(metric, points)| {
            let unit: Unit = metric.unit;
            Series::new(metric.name, unit, points)
        });
        let series: Vec<_> =
            declared.chain(undeclared).filter(|series| !series.points.is_empty()).collect();
        if series.is_empty() {
            return;
        }
        let dimensions: Vec<&str> = key.dimensions.iter().map(String::as_str).collect();
        let traces =
            [("slowest_trace_id", &exemplars.slowest), ("error_trace_id", &exemplars.error)];
        let fields: Vec<_> = traces
            .into_iter()
            .filter_map(|(name, trace)| Some((name, ValueRef::Str(trace.as_deref()?))))
            .collect();
        let shape = self.shape.for_run_time_metrics();
        let record = Record::new(&shape, now).dimensions(&dimensions);
        sink.emit(&record.series(&series).fields(&fields));
    }
}

impl Drain for EventAggregator {
    fn drain(&self, sink: &dyn Sink) {
        let keys: Vec<_> = {
            let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            keys.values().cloned().collect()
        };
        let now = self.clock.wall();
        let mut is_idle = false;
        for key in keys {
            if key.was_touched() {
                key.idle.store(0, std::sync::atomic::Ordering::Relaxed);
                self.drain_key(&key, now, sink);
            } else {
                let idle = key.idle.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                is_idle |= idle + 1 >= IDLE_WINDOWS;
            }
        }
        if is_idle {
            // The loop has given back its own handles to the keys.
            let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
            // Whoever records into a key holds it; one that only the map holds is at rest.
            keys.retain(|_, key| {
                let idle = key.idle.load(std::sync::atomic::Ordering::Relaxed);
                idle < IDLE_WINDOWS || Arc::strong_count(key) > 1 || key.pending() > 0
            });
        }
    }

    fn size(&self) -> usize {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn ledger(&self) -> Ledger {
        let mut ledger = self.ledger.read();
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let pending: u64 = keys.values().map(|key| key.pending()).sum();
        ledger.appended += pending;
        ledger.pending = pending;
        ledger
    }
}

impl fmt::Debug for EventAggregator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventAggregator")
            .field("shape", &self.shape)
            .field("mode", &self.mode)
            .finish_non_exhaustive()
    }
}

fn lose(ledger: &mut Ledger, reason: DropReason) {
    ledger.append(1);
    ledger.drop_points(reason, 1);
}

/// The value to gather; books those that cannot be.
pub(crate) fn number(value: f64, ledger: &mut Ledger) -> Option<f64> {
    match check(value) {
        Checked::Good(value) => Some(value),
        Checked::Underflow => {
            ledger.repair(Repair::Underflow);
            Some(0.0)
        }
        Checked::Bad(reason) => {
            lose(ledger, reason);
            None
        }
    }
}
