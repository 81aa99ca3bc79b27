use std::fmt;
use std::sync::Arc;

/// Storage behind a [`Counter`]. Must not block.
pub trait CounterCell: Send + Sync + fmt::Debug {
    /// Adds `value`.
    fn add(&self, value: u64);
}

/// Storage behind a [`Gauge`]. Must not block.
pub trait GaugeCell: Send + Sync + fmt::Debug {
    /// Replaces the value; NaN and infinities are ignored.
    fn set(&self, value: f64);
    /// Adds `delta`, which may be negative.
    fn add(&self, delta: f64);
}

/// Storage behind a [`Histogram`]. Must not block.
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
    Counter over CounterCell
}

handle! {
    /// A value that is a state.
    Gauge over GaugeCell
}

handle! {
    /// A distribution of values.
    Histogram over HistogramCell
}

impl Counter {
    /// Adds `value`.
    #[inline]
    pub fn add(&self, value: u64) {
        if let Some(cell) = &self.0 {
            cell.add(value);
        }
    }
}

impl Gauge {
    /// Replaces the value.
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
    #[inline]
    pub fn record(&self, value: f64) {
        if let Some(cell) = &self.0 {
            cell.record(value);
        }
    }
}
