use std::fmt;
use std::time::Duration;

use obs_core::clock::{Clock, Timestamp};
use obs_core::log::ValueRef;
use obs_core::metric::Unit;
use obs_core::shard;

use super::flusher::Drain;
use super::key::Key;
use super::keys::{Keys, with_others};
use super::{Emission, Exemplar, Mode};
use crate::cardinality::{EventBudget, Guard, OTHER, Overflow};
use crate::declare::{Members, Metric, Resolution, Shape};
use crate::encode::{ABSENT, Extra, Record, Series};
use crate::ledger::{DropReason, Ledger, Repair, SharedLedger};
use crate::sink::Sink;
use crate::value::number::number;

/// Alarms on metrics by the second see gaps when these come later
/// ([documentation](https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Alarms.html)).
const LONGEST_FOR_HIGH_RESOLUTION: Duration = Duration::from_secs(5);

/// Gathers the metrics of events by their dimension values.
///
/// Bounded: events with new dimension values go under `__other__` once there are
/// [`max_keys`](Self::max_keys) keys, and each dimension can be held to a budget by a
/// [`guard`](Self::guard). Each metric is a distribution, of which p50 to p99.9 stay within 1 %.
/// The line of a key and window has the trace ids of its slowest and of its last failed event, as
/// `slowest_trace_id` and `error_trace_id`.
///
/// # Memory
/// A metric takes 2 KiB for each power of two between its lowest and its highest value, for each key
/// and, where several threads record, for up to eight of them; a key of the five metrics of a request
/// on one thread takes some 53 KiB. Keys without events are forgotten after six windows.
///
/// ```
/// use obs_core::clock::Clock;
/// use obs_core::metric::Unit;
/// use obs_emf::Shape;
/// use obs_emf::aggregate::{Drain, EventAggregator, Exemplar, Mode};
///
/// let shape = Shape::builder("Shop")
///     .dimension_set(["Channel"])
///     .metric(("Latency", Unit::Milliseconds))
///     .build()?;
/// let events = EventAggregator::new(shape, Mode::Aggregated, Clock::system())
///     // The line of a window names the trace with the highest value of the first metric.
///     .slowest_by(0)
///     .max_keys(200);
///
/// let emission = events.observe(&["web"], &[12.5], &[], Exemplar::new(None, false));
/// assert!(!emission.metrics, "its values go out with those of its window");
/// assert_eq!((events.size(), events.ledger().pending), (1, 1));
/// assert_eq!(events.shape().namespace(), "Shop");
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
pub struct EventAggregator {
    shape: Shape,
    clock: Clock,
    mode: Mode,
    slowest_by: Option<usize>,
    keys: Keys,
    ledger: SharedLedger,
}

impl EventAggregator {
    /// Gathers events of `shape`.
    #[must_use]
    pub fn new(shape: Shape, mode: Mode, clock: Clock) -> Self {
        Self {
            keys: Keys::new(shape.clone()),
            shape,
            clock,
            mode,
            slowest_by: None,
            ledger: SharedLedger::default(),
        }
    }

    /// The shape of the events.
    #[must_use]
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The metric, by its place in the shape, whose highest value makes an event the slowest.
    /// Default: none.
    #[must_use]
    pub const fn slowest_by(mut self, metric: usize) -> Self {
        self.slowest_by = Some(metric);
        self
    }

    /// The most combinations of dimension values. Default 1,000.
    #[must_use]
    pub const fn max_keys(mut self, keys: usize) -> Self {
        self.keys.most = keys;
        self
    }

    /// Holds the dimensions of events to a budget of series. Default: none.
    ///
    /// In [`Mode::PerRequest`] it holds for [`emit`](Self::emit), which writes the metrics.
    #[must_use]
    pub fn guard(mut self, guard: Guard) -> Self {
        self.keys.budget = Some(EventBudget::new(guard));
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
        exemplar: Exemplar,
    ) -> Emission {
        let one_in = match self.mode {
            Mode::PerRequest => {
                return Emission { line: true, metrics: true, weight: None };
            }
            Mode::Aggregated => None,
            Mode::Hybrid { one_in } => Some(one_in.max(1)),
        };
        let mut ledger = Ledger::EMPTY;
        let emission = self.keys.with(dimensions, &mut ledger, |key, ledger| {
            match key {
                Some(key) => self.record(key, values, extras, ledger),
                None => lose_all(values, extras, ledger),
            }
            self.judge(key, values, one_in, exemplar)
        });
        if ledger != Ledger::EMPTY {
            self.ledger.add(&ledger);
        }
        emission
    }

    /// What becomes of the line of an event, whose exemplars are noted.
    #[inline]
    fn judge(
        &self,
        key: Option<&Key>,
        values: &[f64],
        one_in: Option<u32>,
        exemplar: Exemplar,
    ) -> Emission {
        let slowest = self.slowest_by.and_then(|index| values.get(index)).copied();
        let is_slowest = match (key, slowest) {
            (Some(key), Some(value)) => key.is_slowest(value, exemplar.trace_id),
            _ => false,
        };
        if let (Some(key), Some(trace), true) = (key, exemplar.trace_id, exemplar.is_error) {
            key.note_error(trace);
        }
        let weight = match one_in {
            None => return Emission { line: true, metrics: false, weight: None },
            Some(_) if exemplar.is_notable || is_slowest => Some(1),
            Some(one_in) => {
                let place = match (exemplar.trace_id, key) {
                    (Some(trace), _) => trace.get() % u128::from(one_in),
                    (None, Some(key)) => u128::from(key.next_place() % u64::from(one_in)),
                    (None, None) => 1,
                };
                (place == 0).then_some(one_in)
            }
        };
        Emission { line: weight.is_some(), metrics: false, weight }
    }

    #[inline]
    fn record(&self, key: &Key, values: &[f64], extras: &[Extra<'_>], ledger: &mut Ledger) {
        key.touch();
        let shard = shard::of_this_thread();
        for (index, &value) in values.iter().enumerate() {
            if value.to_bits() == ABSENT.to_bits() {
                continue;
            }
            match (key.metrics.get(index), number(value, ledger)) {
                (_, None) => {}
                (Some(histogram), Some(value)) => histogram.record_in(shard, value),
                (None, Some(_)) => lose(ledger, DropReason::InvalidName),
            }
        }
        for &(metric, value) in extras {
            if let Err(reason) = self.shape.fault_of(metric.name) {
                lose(ledger, reason);
            } else if let Some(value) = number(value, ledger)
                && !key.record_extra(metric, value)
            {
                lose(ledger, DropReason::QueueFull);
            }
        }
    }

    /// Takes an event of the user's own: its line goes to `sink` as the mode says.
    ///
    /// A bare line has the dimensions as properties. Series that the record brings along are not
    /// gathered: they go out with its line, which is written then.
    ///
    /// ```
    /// use obs_core::clock::Clock;
    /// use obs_core::metric::Unit;
    /// use obs_core::telemetry::Telemetry;
    /// use obs_emf::aggregate::{EventAggregator, Mode};
    /// use obs_emf::cardinality::{Guard, Overflow};
    /// use obs_emf::sink::LineSink;
    /// use obs_emf::{Record, Shape};
    ///
    /// let telemetry = Telemetry::builder("orders").build()?;
    /// let shape = Shape::builder("Shop").dimension_set(["Channel"]).metric(("Items", Unit::Count)).build()?;
    /// let guard = Guard::new(20, Overflow::Other, Clock::system())?;
    /// let events = EventAggregator::new(shape, Mode::PerRequest, Clock::system()).guard(guard);
    ///
    /// let (dimensions, values) = (["web"], [3.0]);
    /// let record = Record::new(events.shape(), telemetry.clock().wall()).dimensions(&dimensions);
    /// let emission = events.emit(&record.values(&values), &LineSink::of(&telemetry));
    /// assert!(emission.line && emission.metrics);
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn emit(&self, record: &Record<'_>, sink: &dyn Sink) -> Emission {
        let exemplar = Exemplar::new(record.ids.trace_id, record.is_error);
        let mut emission = self.observe(record.dimensions, record.values, record.extras, exemplar);
        emission.line |= !record.series.is_empty();
        if emission.metrics {
            self.emit_within_budget(record, sink);
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

    /// Hands on a record with its metrics, its dimensions held to the budget.
    fn emit_within_budget(&self, record: &Record<'_>, sink: &dyn Sink) {
        let Some(budget) = &self.keys.budget else { return sink.emit(record) };
        let over = budget.over(&self.shape, record.dimensions);
        if over.is_empty() {
            return sink.emit(record);
        }
        let mut ledger = Ledger::default();
        ledger.repair(Repair::SeriesBudget);
        let others;
        let mut within = *record;
        if budget.overflow() == Overflow::Other {
            others = with_others(record.dimensions, &over);
            within.dimensions = &others;
            sink.emit(&within);
        } else if let Some(shape) = budget.variant(&self.shape, &over, Members::Keep) {
            within.shape = &shape;
            sink.emit(&within);
        } else {
            lose_all(record.values, record.extras, &mut ledger);
            let lost = record.series.iter().map(Series::count).sum();
            ledger.append(lost);
            ledger.drop_points(DropReason::SeriesBudget, lost);
            sink.emit(&Record { values: &[], extras: &[], series: &[], ..within });
        }
        self.ledger.add(&ledger);
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
        if let Some(budget) = &self.keys.budget {
            let values = key.shape.dimension_names().zip(&dimensions);
            for (name, value) in values.filter(|(_, value)| **value != OTHER) {
                budget.keep(&self.shape, name, value);
            }
        }
        let traces = [("slowest_trace_id", exemplars.slowest), ("error_trace_id", exemplars.error)]
            .map(|(name, trace)| Some((name, trace?.to_hex())));
        let fields: Vec<_> = traces
            .iter()
            .flatten()
            .map(|(name, hex)| (*name, ValueRef::Str(hex.as_str())))
            .collect();
        let record = Record::new(&key.shape, now).dimensions(&dimensions);
        sink.emit(&record.series(&series).fields(&fields));
    }
}

impl Drain for EventAggregator {
    fn drain(&self, sink: &dyn Sink) {
        let now = self.clock.wall();
        self.keys.drain(|key| self.drain_key(key, now, sink));
    }

    fn size(&self) -> usize {
        self.keys.count()
    }

    fn longest_interval(&self) -> Option<Duration> {
        let is_high = |metric: &Metric| metric.resolution == Resolution::High;
        self.shape.metrics().iter().any(is_high).then_some(LONGEST_FOR_HIGH_RESOLUTION)
    }

    fn series(&self) -> u64 {
        self.keys.series()
    }

    fn ledger(&self) -> Ledger {
        let mut ledger = self.ledger.read();
        let pending = self.keys.pending();
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

/// Books the points of an event that is in no series.
fn lose_all(values: &[f64], extras: &[Extra<'_>], ledger: &mut Ledger) {
    let given = values.iter().filter(|value| value.to_bits() != ABSENT.to_bits()).count();
    for _ in 0..given + extras.len() {
        lose(ledger, DropReason::SeriesBudget);
    }
}

fn lose(ledger: &mut Ledger, reason: DropReason) {
    ledger.append(1);
    ledger.drop_points(reason, 1);
}
