//! The recorder behind the suite's own metrics: counters, gauges and histograms, gathered and
//! flushed.
//!
//! ```
//! use obs_core::clock::Clock;
//! use obs_core::metric::{Descriptor, Recorder, Unit};
//! use obs_emf::recorder::EmfRecorder;
//!
//! static PLACED: Descriptor = Descriptor::new("Placed", Unit::Count, "Orders that were placed");
//!
//! let recorder = EmfRecorder::new("Shop", "orders", "prod", Clock::system())?;
//! recorder.counter(&PLACED, &[("Channel", "web")]).add(1);
//! # Ok::<(), obs_core::config::ConfigError>(())
//! ```

mod cell;
mod entry;
#[cfg(feature = "metrics-facade")]
mod facade;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, PoisonError, RwLock};

use cell::Refused;
use entry::{Cell, Entry, Kind, Labels};
#[cfg(feature = "metrics-facade")]
pub use facade::Facade;
use obs_core::clock::Clock;
use obs_core::config::ConfigError;
use obs_core::environment::Environment;
use obs_core::metric::{
    Counter, CounterCell, Descriptor, Gauge, GaugeCell, Histogram, HistogramCell, Label, Recorder,
    Unit,
};
use obs_core::resource::Resource;

use crate::aggregate::Drain;
use crate::cardinality::{Guard, OTHER, Overflow};
use crate::declare::name::{own_dimension_rule, own_metric_rule};
use crate::declare::{Shape, ShapeBuilder};
use crate::encode::{Record, Series};
use crate::ledger::{DropReason, Ledger, Repair, SharedLedger};
use crate::limits::{DIMENSIONS_PER_SET, METRICS_PER_RECORD};
use crate::request::{ENVIRONMENT, SERVICE};
use crate::sink::Sink;
use crate::value::text::clean_dimension;

const DEFAULT_BUDGET: usize = 100;

/// Gathers what the crates of the suite, and the service, measure.
///
/// Each series gets the dimensions `Service`, `Environment` and its labels, and each line the
/// properties and the agent's log group that were set. A counter goes out as
/// the sum of the window, a histogram as its values with their counts, and a gauge, which is a
/// state, with its latest value in each window, whether or not it changed. What was not touched
/// and has no handle left is forgotten. A [`Flusher`](crate::aggregate::Flusher) carries it out.
///
/// ```
/// use obs_core::clock::Clock;
/// use obs_core::environment::Environment;
/// use obs_core::metric::{Descriptor, Recorder, Unit};
/// use obs_core::resource::Resource;
/// use obs_emf::cardinality::{Guard, Overflow};
/// use obs_emf::recorder::EmfRecorder;
///
/// static PLACED: Descriptor = Descriptor::new("Placed", Unit::Count, "Orders that were placed");
///
/// let clock = Clock::system();
/// let recorder = EmfRecorder::new("Shop", "orders", "prod", clock.clone())?
///     .guard(Guard::new(100, Overflow::Other, clock)?)
///     .entity(&Resource::empty())?
///     .from_environment(&Environment::empty())?;
/// recorder.counter(&PLACED, &[("Channel", "web")]).add(1);
/// assert_eq!(recorder.active_series(), 1);
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct EmfRecorder {
    /// What all lines have in common.
    base: ShapeBuilder,
    clock: Clock,
    guard: Guard,
    hasher: RandomState,
    entries: RwLock<HashMap<u64, Vec<Arc<Entry>>>>,
    ledger: SharedLedger,
}

impl EmfRecorder {
    /// A recorder with a budget of 100 values for each dimension of each metric.
    ///
    /// # Errors
    /// [`ConfigError`] for a namespace that CloudWatch refuses.
    pub fn new(
        namespace: impl Into<String>,
        service: impl Into<String>,
        environment: impl Into<String>,
        clock: Clock,
    ) -> Result<Self, ConfigError> {
        let guard = Guard::new(DEFAULT_BUDGET, Overflow::Other, clock.clone())?;
        let base = Shape::builder(namespace)
            .constant(SERVICE, service)
            .constant(ENVIRONMENT, environment)
            .own_lines();
        let recorder = Self {
            base,
            clock,
            guard,
            hasher: RandomState::new(),
            entries: RwLock::default(),
            ledger: SharedLedger::default(),
        };
        recorder.shape(&[], &[])?;
        Ok(recorder)
    }

    /// Replaces the budget of series. Default: 100 values of each label of each metric, then
    /// `__other__`.
    ///
    /// What becomes of a label whose value is above the budget:
    ///
    /// | policy | |
    /// |---|---|
    /// | [`Overflow::Other`] | the value becomes `__other__` |
    /// | [`Overflow::Demote`] | the values go to the series without the label; its line has the label as a property, with the latest such value, because it stands for many |
    /// | [`Overflow::DropSet`] | a series has one dimension set only, so its values are lost, and counted as [`DropReason::SeriesBudget`] |
    #[must_use]
    pub fn guard(mut self, guard: Guard) -> Self {
        self.guard = guard;
        self
    }

    /// Adds the members by which CloudWatch links the metrics to what the service runs on, as
    /// [`ShapeBuilder::entity`] does.
    ///
    /// # Errors
    /// [`ConfigError`] if a member has a name that stands for something else.
    pub fn entity(mut self, resource: &Resource) -> Result<Self, ConfigError> {
        self.base = self.base.entity(resource);
        self.shape(&[], &[])?;
        Ok(self)
    }

    /// Reads the log group and stream for the agent, as [`ShapeBuilder::from_environment`] does.
    ///
    /// # Errors
    /// [`ConfigError`] for a name that CloudWatch Logs refuses.
    pub fn from_environment(mut self, environment: &Environment) -> Result<Self, ConfigError> {
        self.base = self.base.from_environment(environment);
        self.shape(&[], &[])?;
        Ok(self)
    }

    /// How many series there are now.
    #[must_use]
    pub fn active_series(&self) -> usize {
        self.size()
    }

    /// The series there are now, by metric; [`SeriesReport::of_metrics`] reports them.
    ///
    /// ```
    /// use obs_core::clock::Clock;
    /// use obs_core::metric::{Descriptor, Recorder, Unit};
    /// use obs_emf::recorder::EmfRecorder;
    ///
    /// static PLACED: Descriptor = Descriptor::new("Placed", Unit::Count, "Orders that were placed");
    ///
    /// let recorder = EmfRecorder::new("Shop", "orders", "prod", Clock::system())?;
    /// recorder.counter(&PLACED, &[("Channel", "web")]).add(1);
    /// assert_eq!(recorder.series_by_metric()["Placed"], 1);
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    ///
    /// [`SeriesReport::of_metrics`]: crate::cardinality::SeriesReport::of_metrics
    #[must_use]
    pub fn series_by_metric(&self) -> BTreeMap<String, u64> {
        let mut series = BTreeMap::new();
        for entry in self.sorted() {
            *series.entry(entry.name.clone()).or_default() += 1;
        }
        series
    }

    fn shape(
        &self,
        labels: &[(String, String)],
        properties: &[(String, String)],
    ) -> Result<Shape, ConfigError> {
        let names = labels.iter().map(|(name, _)| name.as_str());
        let names = [SERVICE, ENVIRONMENT].into_iter().chain(names);
        let mut shape = self.base.clone().dimension_set(names);
        for (name, value) in properties {
            shape = shape.property(name, value);
        }
        shape.build()
    }

    /// The entry for a series; its cell is made if it is new.
    pub(crate) fn entry(
        &self,
        name: &str,
        unit: Unit,
        labels: &[(&str, &str)],
        kind: Kind,
    ) -> Result<Arc<Entry>, DropReason> {
        if own_metric_rule(name).is_some() || [SERVICE, ENVIRONMENT].contains(&name) {
            return Err(DropReason::InvalidName);
        }
        if labels.iter().any(|label| label.0 == name) {
            return Err(DropReason::NameClash);
        }
        let Allowed { labels, demoted } = self.allowed(name, labels)?;
        let entry = self.find_or_make(name, unit, labels, kind);
        entry.demote(demoted);
        Ok(entry)
    }

    fn find_or_make(&self, name: &str, unit: Unit, labels: Labels, kind: Kind) -> Arc<Entry> {
        let hash = self.hasher.hash_one((name, &labels, kind));
        let find = |entries: &[Arc<Entry>]| {
            let found = entries.iter().find(|entry| entry.is(name, &labels, kind));
            found.cloned()
        };
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get(&hash).and_then(|list| find(list)) {
            return entry;
        }
        drop(entries);
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        let list = entries.entry(hash).or_default();
        if let Some(entry) = find(list) {
            return entry;
        }
        let entry = Arc::new(Entry::new(name, unit, labels, Cell::new(kind), self.ledger.clone()));
        list.push(entry.clone());
        entry
    }

    /// The labels as dimensions: sorted, with good names, each once, within the budget.
    fn allowed(&self, metric: &str, labels: &[(&str, &str)]) -> Result<Allowed, DropReason> {
        let mut ledger = Ledger::default();
        let mut allowed: Labels = Vec::with_capacity(labels.len());
        let (mut demoted, mut is_dropped) = (Vec::new(), false);
        for &(name, value) in labels {
            let is_taken = [SERVICE, ENVIRONMENT].contains(&name)
                || demoted.iter().any(|label: &(String, String)| label.0 == name)
                || allowed.iter().any(|label| label.0 == name);
            let is_full = allowed.len() + 2 >= DIMENSIONS_PER_SET;
            if is_taken || is_full || own_dimension_rule(name).is_some() {
                ledger.repair(Repair::LabelDropped);
                continue;
            }
            let value = match self.guard.admit(metric, name, value) {
                None => value,
                Some(overflow) => {
                    ledger.repair(Repair::SeriesBudget);
                    match overflow {
                        Overflow::Other => OTHER,
                        Overflow::Demote => {
                            demoted.push((name.to_owned(), clean_dimension(value, &mut ledger)));
                            continue;
                        }
                        Overflow::DropSet => {
                            is_dropped = true;
                            continue;
                        }
                    }
                }
            };
            allowed.push((name.to_owned(), value.to_owned()));
        }
        allowed.sort_unstable();
        self.ledger.add(&ledger);
        if is_dropped {
            return Err(DropReason::SeriesBudget);
        }
        Ok(Allowed { labels: allowed, demoted })
    }

    fn refused(&self, reason: DropReason) -> Arc<Refused> {
        Arc::new(Refused::new(self.ledger.clone(), reason))
    }

    /// Every entry, those of the same labels together.
    fn sorted(&self) -> Vec<Arc<Entry>> {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        let mut sorted: Vec<_> = entries.values().flatten().cloned().collect();
        sorted.sort_by(|one, other| one.order().cmp(&other.order()));
        sorted
    }

    /// Drains the entries of one set of labels.
    fn drain_group(&self, group: &[Arc<Entry>], sink: &dyn Sink) {
        let Some(first) = group.first() else { return };
        // The labels were checked when the entry was made; properties only clash with their like.
        let demoted = demoted(group);
        let shape = self.shape(&first.labels, &demoted);
        let Ok(shape) = shape.or_else(|_| self.shape(&first.labels, &[])) else { return };
        let values: Vec<&str> = first.labels.iter().map(|(_, value)| value.as_str()).collect();
        let drained: Vec<_> = group.iter().map(|entry| (entry, entry.drain())).collect();
        let mut series: Vec<Series<'_>> = Vec::new();
        let record = Record::new(&shape, self.clock.wall()).dimensions(&values);
        for (entry, points) in &drained {
            if points.is_empty() {
                continue;
            }
            // Kinds apart may share a name, which a record has once.
            let is_taken = series.iter().any(|other| other.name == entry.name);
            if is_taken || series.len() == METRICS_PER_RECORD {
                sink.emit(&record.series(&series));
                series.clear();
            }
            series.push(Series::new(&entry.name, entry.unit, points));
        }
        if !series.is_empty() {
            sink.emit(&record.series(&series));
        }
    }

    fn forget_idle(&self) {
        let mut entries = self.entries.write().unwrap_or_else(PoisonError::into_inner);
        for list in entries.values_mut() {
            // One that only the index holds has no handle that could be recording.
            list.retain(|entry| Arc::strong_count(entry) > 1 || !entry.is_idle());
        }
        entries.retain(|_, list| !list.is_empty());
    }
}

/// Labels of a series, and those that became properties.
struct Allowed {
    labels: Labels,
    demoted: Labels,
}

/// The labels that became properties of a group's line, each once, where no metric has the name.
fn demoted(group: &[Arc<Entry>]) -> Labels {
    let mut properties: Labels = Vec::new();
    for entry in group {
        for label in entry.demoted() {
            let is_taken = properties.iter().any(|other| other.0 == label.0)
                || group.iter().any(|entry| entry.name == label.0);
            if !is_taken {
                properties.push(label);
            }
        }
    }
    properties
}

impl Drain for EmfRecorder {
    fn drain(&self, sink: &dyn Sink) {
        let entries = self.sorted();
        for group in entries.chunk_by(|one, other| one.labels == other.labels) {
            self.drain_group(group, sink);
        }
        let is_idle = entries.iter().any(|entry| entry.is_idle());
        drop(entries);
        if is_idle {
            self.forget_idle();
        }
    }

    fn size(&self) -> usize {
        let entries = self.entries.read().unwrap_or_else(PoisonError::into_inner);
        entries.values().map(Vec::len).sum()
    }

    fn ledger(&self) -> Ledger {
        let mut ledger = self.ledger.read();
        let pending: u64 = self.sorted().iter().map(|entry| entry.pending()).sum();
        ledger.appended += pending;
        ledger.pending = pending;
        ledger
    }
}

impl Recorder for EmfRecorder {
    fn counter(&self, metric: &Descriptor, labels: &[Label<'_>]) -> Counter {
        Counter::new(match self.entry(metric.name, metric.unit, labels, Kind::Counter) {
            Ok(entry) => entry as Arc<dyn CounterCell>,
            Err(reason) => self.refused(reason),
        })
    }

    fn gauge(&self, metric: &Descriptor, labels: &[Label<'_>]) -> Gauge {
        Gauge::new(match self.entry(metric.name, metric.unit, labels, Kind::Gauge) {
            Ok(entry) => entry as Arc<dyn GaugeCell>,
            Err(reason) => self.refused(reason),
        })
    }

    fn histogram(&self, metric: &Descriptor, labels: &[Label<'_>]) -> Histogram {
        Histogram::new(match self.entry(metric.name, metric.unit, labels, Kind::Histogram) {
            Ok(entry) => entry as Arc<dyn HistogramCell>,
            Err(reason) => self.refused(reason),
        })
    }
}
