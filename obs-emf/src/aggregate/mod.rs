//! Values gathered over a window, and events of which only some are written in full.

mod events;
mod flusher;
mod histogram;
mod key;
mod mode;
mod self_metrics;
#[cfg(test)]
mod tests;

pub use events::EventAggregator;
pub use flusher::{Drain, Flusher, FlusherBuilder};
pub(crate) use histogram::{Histogram, shard};
pub use mode::{Emission, Exemplar, Mode};
pub use self_metrics::{ACTIVE_SERIES, BYTES_PER_SECOND, DROPPED};
