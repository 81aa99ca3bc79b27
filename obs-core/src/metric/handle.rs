use std::fmt;
use std::sync::Arc;

/// Storage behind a [`Counter`]. Must not block.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// use obs_core::metric::{Counter, CounterCell};
///
/// #[derive(Debug, Default)]
/// struct Total(AtomicU64);
///
/// impl CounterCell for Total {
///     fn add(&self, value: u64) {
///         self.0.fetch_add(value, Ordering::Relaxed);
///     }
/// }
///
/// let total = Arc::new(Total::default());
/// Counter::new(total.clone()).add(2);
/// assert_eq!(total.0.load(Ordering::Relaxed), 2);
/// ```
pub trait CounterCell: Send + Sync + fmt::Debug {
    /// Adds `value`.
    fn add(&self, value: u64);
}

/// Storage behind a [`Gauge`]. Must not block.
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// use obs_core::metric::{Gauge, GaugeCell};
///
/// #[derive(Debug, Default)]
/// struct Latest(Mutex<f64>);
///
/// impl GaugeCell for Latest {
///     fn set(&self, value: f64) {
///         *self.0.lock().unwrap() = value;
///     }
///
///     fn add(&self, delta: f64) {
///         *self.0.lock().unwrap() += delta;
///     }
/// }
///
/// let depth = Arc::new(Latest::default());
/// let gauge = Gauge::new(depth.clone());
/// gauge.set(5.0);
/// gauge.add(-2.0);
/// assert_eq!(*depth.0.lock().unwrap(), 3.0);
/// ```
pub trait GaugeCell: Send + Sync + fmt::Debug {
    /// Replaces the value; NaN and infinities are ignored.
    fn set(&self, value: f64);
    /// Adds `delta`, which may be negative.
    fn add(&self, delta: f64);
}

/// Storage behind a [`Histogram`]. Must not block.
///
/// ```
/// use std::sync::{Arc, Mutex};
///
/// use obs_core::metric::{Histogram, HistogramCell};
///
/// #[derive(Debug, Default)]
/// struct Values(Mutex<Vec<f64>>);
///
/// impl HistogramCell for Values {
///     fn record(&self, value: f64) {
///         self.0.lock().unwrap().push(value);
///     }
/// }
///
/// let values = Arc::new(Values::default());
/// Histogram::new(values.clone()).record(12.5);
/// assert_eq!(*values.0.lock().unwrap(), [12.5]);
/// ```
pub trait HistogramCell: Send + Sync + fmt::Debug {
    /// Records one value; NaN and infinities are ignored.
    fn record(&self, value: f64);
}

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident over $cell:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default)]
        pub struct $name(Option<Arc<dyn $cell>>);

        impl $name {
            /// A handle that records into `cell`.
            #[must_use]
            pub fn new(cell: Arc<dyn $cell>) -> Self {
                Self(Some(cell))
            }

            /// A handle that records nothing.
            #[must_use]
            pub const fn disabled() -> Self {
                Self(None)
            }
        }
    };
}

handle! {
    /// A value that only grows.
    ///
    /// ```
    /// use obs_core::metric::Counter;
    ///
    /// Counter::disabled().add(1); // goes nowhere
    /// ```
    Counter over CounterCell
}

handle! {
    /// A value that is a state.
    ///
    /// ```
    /// use obs_core::metric::Gauge;
    ///
    /// let gauge = Gauge::disabled();
    /// gauge.set(3.0); // goes nowhere
    /// gauge.add(-1.0);
    /// ```
    Gauge over GaugeCell
}

handle! {
    /// A distribution of values.
    ///
    /// ```
    /// use obs_core::metric::Histogram;
    ///
    /// Histogram::disabled().record(12.5); // goes nowhere
    /// ```
    Histogram over HistogramCell
}

impl Counter {
    /// Adds `value`.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// use obs_core::metric::{Counter, CounterCell};
    ///
    /// #[derive(Debug, Default)]
    /// struct Total(AtomicU64);
    ///
    /// impl CounterCell for Total {
    ///     fn add(&self, value: u64) {
    ///         self.0.fetch_add(value, Ordering::Relaxed);
    ///     }
    /// }
    ///
    /// let total = Arc::new(Total::default());
    /// Counter::new(total.clone()).add(2);
    /// assert_eq!(total.0.load(Ordering::Relaxed), 2);
    /// ```
    #[inline]
    pub fn add(&self, value: u64) {
        if let Some(cell) = &self.0 {
            cell.add(value);
        }
    }
}

impl Gauge {
    /// Replaces the value.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use obs_core::metric::{Gauge, GaugeCell};
    ///
    /// #[derive(Debug)]
    /// struct Shown;
    ///
    /// impl GaugeCell for Shown {
    ///     fn set(&self, value: f64) {
    ///         assert_eq!(value, 3.0);
    ///     }
    ///
    ///     fn add(&self, _delta: f64) {}
    /// }
    ///
    /// Gauge::new(Arc::new(Shown)).set(3.0);
    /// ```
    #[inline]
    pub fn set(&self, value: f64) {
        if let Some(cell) = &self.0 {
            cell.set(value);
        }
    }

    /// Adds `delta`, which may be negative.
    #[inline]
    pub fn add(&self, delta: f64) {
        if let Some(cell) = &self.0 {
            cell.add(delta);
        }
    }
}

impl Histogram {
    /// Records one value.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use obs_core::metric::{Histogram, HistogramCell};
    ///
    /// #[derive(Debug)]
    /// struct Shown;
    ///
    /// impl HistogramCell for Shown {
    ///     fn record(&self, value: f64) {
    ///         assert_eq!(value, 12.5);
    ///     }
    /// }
    ///
    /// Histogram::new(Arc::new(Shown)).record(12.5);
    /// ```
    #[inline]
    pub fn record(&self, value: f64) {
        if let Some(cell) = &self.0 {
            cell.record(value);
        }
    }
}
