use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use obs_core::metric::{CounterCell, GaugeCell, HistogramCell, Unit};
use obs_core::shard::Sum;

use super::cell::State;
use crate::aggregate::Histogram;
use crate::ledger::{Ledger, SharedLedger};
use crate::value::number::number;

pub(super) type Labels = Vec<(String, String)>;

/// A series without a handle is forgotten after so many windows without a value.
const IDLE_WINDOWS: u32 = 6;

/// One series.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(super) name: String,
    pub(super) unit: Unit,
    pub(super) labels: Labels,
    /// The latest values of labels that are above their budget.
    demoted: Mutex<Labels>,
    cell: Cell,
    touched: AtomicBool,
    idle: AtomicU32,
    /// The highest total that a counter was set to.
    #[cfg_attr(
        not(feature = "metrics-facade"),
        allow(dead_code, reason = "only that crate sets totals")
    )]
    total: AtomicU64,
    ledger: SharedLedger,
}

#[derive(Debug)]
pub(crate) enum Cell {
    Counter(Box<Sum>),
    Gauge(State),
    Histogram(Box<Histogram>),
}

/// What a series is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Cell {
    pub(super) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Counter => Self::Counter(Box::default()),
            Kind::Gauge => Self::Gauge(State::default()),
            Kind::Histogram => Self::Histogram(Box::default()),
        }
    }

    const fn kind(&self) -> Kind {
        match self {
            Self::Counter(_) => Kind::Counter,
            Self::Gauge(_) => Kind::Gauge,
            Self::Histogram(_) => Kind::Histogram,
        }
    }
}

impl Entry {
    pub(super) fn new(
        name: &str,
        unit: Unit,
        labels: Labels,
        cell: Cell,
        ledger: SharedLedger,
    ) -> Self {
        let (touched, idle) = (AtomicBool::new(false), AtomicU32::new(0));
        let total = AtomicU64::new(0);
        let demoted = Mutex::default();
        Self { name: name.to_owned(), unit, labels, demoted, cell, touched, idle, total, ledger }
    }

    pub(super) fn is(&self, name: &str, labels: &Labels, kind: Kind) -> bool {
        self.name == name && self.labels == *labels && self.cell.kind() == kind
    }

    /// Keeps the latest values of labels that became properties.
    pub(super) fn demote(&self, labels: Labels) {
        if !labels.is_empty() {
            *self.demoted.lock().unwrap_or_else(PoisonError::into_inner) = labels;
        }
    }

    pub(super) fn demoted(&self) -> Labels {
        self.demoted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn order(&self) -> (&Labels, &str, Kind) {
        (&self.labels, &self.name, self.cell.kind())
    }

    /// Takes out what was gathered in this window.
    pub(super) fn drain(&self) -> Vec<(f64, u64)> {
        if self.touched.swap(false, Ordering::Relaxed) {
            self.idle.store(0, Ordering::Relaxed);
        } else {
            self.idle.fetch_add(1, Ordering::Relaxed);
        }
        match &self.cell {
            Cell::Counter(sum) => match sum.take() {
                0 => Vec::new(),
                sum => vec![(sum as f64, 1)],
            },
            Cell::Gauge(state) => state.get().map(|value| (value, 1)).into_iter().collect(),
            Cell::Histogram(histogram) => histogram.drain(),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.idle.load(Ordering::Relaxed) >= IDLE_WINDOWS
    }

    /// How many data points the next drain will make; a gauge's state is none that could be lost.
    pub(super) fn pending(&self) -> u64 {
        match &self.cell {
            Cell::Counter(sum) => u64::from(sum.get() > 0),
            Cell::Gauge(_) => 0,
            Cell::Histogram(histogram) => histogram.count(),
        }
    }

    /// By how much a counter has to grow so that its total is `total`.
    #[cfg(feature = "metrics-facade")]
    pub(super) fn grow_to(&self, total: u64) -> u64 {
        total.saturating_sub(self.total.fetch_max(total, Ordering::Relaxed))
    }

    fn touch(&self) {
        if !self.touched.load(Ordering::Relaxed) {
            self.touched.store(true, Ordering::Relaxed);
        }
    }

    /// The value to record; books those that cannot be.
    fn number(&self, value: f64) -> Option<f64> {
        self.touch();
        let mut ledger = Ledger::default();
        let number = number(value, &mut ledger);
        if ledger != Ledger::default() {
            self.ledger.add(&ledger);
        }
        number
    }
}

impl CounterCell for Entry {
    fn add(&self, value: u64) {
        self.touch();
        if let Cell::Counter(sum) = &self.cell {
            sum.add(value);
        }
    }
}

impl GaugeCell for Entry {
    fn set(&self, value: f64) {
        if let (Cell::Gauge(state), Some(value)) = (&self.cell, self.number(value)) {
            state.set(value);
        }
    }

    fn add(&self, delta: f64) {
        if let (Cell::Gauge(state), Some(delta)) = (&self.cell, self.number(delta)) {
            state.add(delta);
        }
    }
}

impl HistogramCell for Entry {
    fn record(&self, value: f64) {
        if let (Cell::Histogram(histogram), Some(value)) = (&self.cell, self.number(value)) {
            histogram.record(value);
        }
    }
}
