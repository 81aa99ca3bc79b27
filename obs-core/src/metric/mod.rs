//! Where a counter, gauge or histogram value goes.
//!
//! The crates of the suite measure themselves through this seam and know nothing of formats. A
//! [`Recorder`] (obs-emf brings one) hands out [`Counter`], [`Gauge`] and [`Histogram`] handles;
//! asking for a handle may allocate and lock, using one does neither.
//!
//! ```
//! use obs_core::metric::{Descriptor, Recorder, Unit, disabled};
//!
//! static CACHE_HITS: Descriptor = Descriptor::new("CacheHits", Unit::Count, "Reads served by the cache");
//!
//! let hits = disabled().counter(&CACHE_HITS, &[("Cache", "product")]);
//! hits.add(1); // goes nowhere, at the cost of one comparison
//! ```

mod handle;
mod unit;

use std::fmt;

pub use handle::{Counter, CounterCell, Gauge, GaugeCell, Histogram, HistogramCell};
pub use unit::Unit;

/// A metric as its owner declares it.
///
/// ```
/// use obs_core::metric::{Descriptor, Unit};
///
/// static ORDERS: Descriptor = Descriptor::new("OrdersPlaced", Unit::Count, "Orders that were placed");
/// assert_eq!((ORDERS.name, ORDERS.unit), ("OrdersPlaced", Unit::Count));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Descriptor {
    /// The name, in `PascalCase`, at most 255 ASCII characters.
    pub name: &'static str,
    /// The unit of every value.
    pub unit: Unit,
    /// What it counts or measures, as one phrase.
    pub description: &'static str,
}

impl Descriptor {
    /// Declares a metric.
    #[must_use]
    pub const fn new(name: &'static str, unit: Unit, description: &'static str) -> Self {
        Self { name, unit, description }
    }
}

/// A label of a metric: a name in `PascalCase` and a value from a bounded set.
pub type Label<'a> = (&'static str, &'a str);

/// Turns declarations into handles.
///
/// The same descriptor with the same labels names the same series, whoever asks. Methods may lock
/// and allocate; they never fail: a series that must not be is counted by the implementation and
/// gets a handle that records into its overflow series.
///
/// ```
/// use obs_core::metric::{Counter, Descriptor, Gauge, Histogram, Label, Recorder, Unit};
///
/// /// Records counters and nothing else.
/// #[derive(Debug)]
/// struct OnlyCounters(std::sync::Arc<dyn obs_core::metric::CounterCell>);
///
/// impl Recorder for OnlyCounters {
///     fn counter(&self, _: &Descriptor, _: &[Label<'_>]) -> Counter {
///         Counter::new(self.0.clone())
///     }
///
///     fn gauge(&self, _: &Descriptor, _: &[Label<'_>]) -> Gauge {
///         Gauge::disabled()
///     }
///
///     fn histogram(&self, _: &Descriptor, _: &[Label<'_>]) -> Histogram {
///         Histogram::disabled()
///     }
/// }
/// ```
pub trait Recorder: Send + Sync + fmt::Debug + 'static {
    /// A handle for a value that only grows.
    fn counter(&self, metric: &Descriptor, labels: &[Label<'_>]) -> Counter;
    /// A handle for a value that is a state, such as a queue's length.
    fn gauge(&self, metric: &Descriptor, labels: &[Label<'_>]) -> Gauge;
    /// A handle for a distribution.
    fn histogram(&self, metric: &Descriptor, labels: &[Label<'_>]) -> Histogram;
}

/// The recorder that records nothing.
///
/// ```
/// use obs_core::metric::{Descriptor, Unit, disabled};
///
/// static DEPTH: Descriptor = Descriptor::new("QueueDepth", Unit::Count, "Messages that wait");
/// static AGE: Descriptor = Descriptor::new("Age", Unit::Seconds, "Age of a message");
/// disabled().gauge(&DEPTH, &[]).set(3.0);
/// disabled().histogram(&AGE, &[]).record(0.2);
/// ```
#[must_use]
pub fn disabled() -> &'static dyn Recorder {
    &Disabled
}

/// [`disabled`] as a value.
#[derive(Debug)]
pub(crate) struct Disabled;

impl Recorder for Disabled {
    fn counter(&self, _: &Descriptor, _: &[Label<'_>]) -> Counter {
        Counter::disabled()
    }

    fn gauge(&self, _: &Descriptor, _: &[Label<'_>]) -> Gauge {
        Gauge::disabled()
    }

    fn histogram(&self, _: &Descriptor, _: &[Label<'_>]) -> Histogram {
        Histogram::disabled()
    }
}
