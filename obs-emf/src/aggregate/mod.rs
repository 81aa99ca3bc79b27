//! Values gathered over a window, and events of which only some are written in full.
//!
//! ```
//! use obs_core::clock::Clock;
//! use obs_core::metric::Unit;
//! use obs_emf::Shape;
//! use obs_emf::aggregate::{EventAggregator, Exemplar, Mode};
//!
//! let shape = Shape::builder("Shop").dimension_set(["Channel"]).metric(("Items", Unit::Count)).build()?;
//! let events = EventAggregator::new(shape, Mode::Aggregated, Clock::system());
//! let emission = events.observe(&["web"], &[3.0], &[], Exemplar::new(None, false));
//! assert!(!emission.metrics, "they go out with their window");
//! # Ok::<(), obs_core::config::ConfigError>(())
//! ```

mod events;
mod flusher;
mod histogram;
mod key;
mod keys;
mod mode;
mod self_metrics;
#[cfg(test)]
mod tests;

pub use events::EventAggregator;
pub use flusher::{Drain, Flusher, FlusherBuilder};
pub(crate) use histogram::Histogram;
pub use mode::{Emission, Exemplar, Mode};
pub use self_metrics::{ACTIVE_SERIES, BYTES_PER_SECOND, DROPPED};
