//! Where records go.
//!
//! | sink | for |
//! |---|---|
//! | [`LineSink`] | the service's own lines on standard output, which CloudWatch Logs reads |
//! | `LineSink::to_agent` (feature `agent`) | the CloudWatch agent, over TCP or UDP |
//! | `CloudWatchSink` (feature `cloudwatch`) | `PutMetricData` |
//!
//! ```
//! use obs_core::telemetry::Telemetry;
//! use obs_emf::sink::{LineSink, Sink};
//!
//! let telemetry = Telemetry::builder("orders").build()?;
//! let sink = LineSink::of(&telemetry);
//! assert!(sink.ledger().is_conserved());
//! # Ok::<(), obs_core::config::ConfigError>(())
//! ```

#[cfg(feature = "agent")]
mod agent;
#[cfg(any(feature = "agent", feature = "cloudwatch"))]
#[cfg_attr(not(feature = "agent"), allow(dead_code, reason = "only the agent begins anew"))]
mod backoff;
mod environment;
mod line;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "agent")]
pub use agent::{AgentEndpoint, AgentWriter};
#[cfg(any(feature = "agent", feature = "cloudwatch"))]
pub(crate) use backoff::Backoff;
pub use environment::from_environment;
pub use line::LineSink;

use crate::encode::Record;
use crate::ledger::Ledger;

/// Takes records.
///
/// ```
/// use std::sync::Mutex;
/// use std::time::Duration;
///
/// use obs_core::clock::Timestamp;
/// use obs_core::metric::Unit;
/// use obs_emf::sink::Sink;
/// use obs_emf::{Ledger, Record, Shape};
///
/// /// Counts the points it is handed and delivers none: for a test.
/// #[derive(Debug, Default)]
/// struct Count(Mutex<Ledger>);
///
/// impl Sink for Count {
///     fn emit(&self, record: &Record<'_>) {
///         let mut ledger = self.0.lock().unwrap();
///         ledger.appended += record.points();
///         ledger.emitted += record.points();
///     }
///
///     fn flush(&self, _limit: Duration) -> bool {
///         true
///     }
///
///     fn shutdown(&self, _limit: Duration) -> bool {
///         true
///     }
///
///     fn ledger(&self) -> Ledger {
///         self.0.lock().unwrap().clone()
///     }
/// }
///
/// let shape = Shape::builder("Shop").dimension_set([""; 0]).metric(("Items", Unit::Count)).build()?;
/// let sink = Count::default();
/// sink.emit(&Record::new(&shape, Timestamp::from_unix_millis(0)).values(&[3.0]));
/// assert_eq!((sink.ledger().emitted, sink.bytes()), (1, 0));
/// assert!(sink.flush(Duration::ZERO) && sink.shutdown(Duration::ZERO));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
///
/// # Contract
/// - [`emit`](Self::emit) returns at once, whatever the destination does, and never fails: what
///   cannot be delivered is counted in the [`ledger`](Self::ledger).
/// - A destination gets valid records only, and never a part of one.
/// - `appended = emitted + pending + dropped` at any time; `pending` is 0 after a shutdown,
///   whether or not it kept its limit.
pub trait Sink: Send + Sync + fmt::Debug + 'static {
    /// Hands in a record.
    fn emit(&self, record: &Record<'_>);

    /// Waits until what was handed in before has found its fate, for at most `limit`; `false` when
    /// time was up first. Blocks the calling thread.
    fn flush(&self, limit: Duration) -> bool;

    /// Delivers what waits, within `limit`, and stops. What is not delivered then is counted as
    /// lost. Blocks the calling thread. Further calls do nothing and give the same answer.
    fn shutdown(&self, limit: Duration) -> bool;

    /// What became of the data points.
    fn ledger(&self) -> Ledger;

    /// The bytes of the lines handed over; 0 for sinks that write none.
    fn bytes(&self) -> u64 {
        0
    }
}

impl<S: Sink + ?Sized> Sink for Arc<S> {
    fn emit(&self, record: &Record<'_>) {
        (**self).emit(record);
    }

    fn flush(&self, limit: Duration) -> bool {
        (**self).flush(limit)
    }

    fn shutdown(&self, limit: Duration) -> bool {
        (**self).shutdown(limit)
    }

    fn ledger(&self) -> Ledger {
        (**self).ledger()
    }

    fn bytes(&self) -> u64 {
        (**self).bytes()
    }
}
