//! The metrics of a request.
//!
//! ```
//! use std::time::Duration;
//! use obs_core::clock::Timestamp;
//! use obs_emf::request::{Observation, RequestMetrics};
//!
//! let metrics = RequestMetrics::builder("orders", "prod").build()?;
//! let observation = Observation {
//!     route: Some("/orders/{id}"),
//!     latency: Duration::from_micros(12_700),
//!     response_size: Some(512),
//!     in_flight: 3,
//!     ..Observation::new("GET")
//! };
//!
//! let mut line = br#"{"message":"request completed""#.to_vec();
//! metrics.encode_tail(&mut line, Timestamp::from_unix_millis(1_767_225_600_000), &observation);
//! line.push(b'}');
//! let line: serde_json::Value = serde_json::from_slice(&line)?;
//! assert_eq!(line["Route"], "/orders/{id}");
//! assert_eq!(line["Latency"], 12.7);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod aggregator;
mod builder;
mod observation;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use obs_core::clock::Timestamp;
use obs_core::log::{Ids, TailRoom};
use obs_core::metric::{Descriptor, Unit};

pub use aggregator::RequestAggregator;
pub use builder::RequestMetricsBuilder;
pub use observation::Observation;

use crate::declare::Shape;
use crate::encode::{Extra, Record, Tail};
use crate::ledger::{Ledger, SharedLedger};
use crate::sink::Sink;

/// Requests that ended.
pub const REQUESTS: Descriptor = Descriptor::new("Requests", Unit::Count, "Requests that ended");
/// Requests answered with a 4xx status.
pub const ERRORS: Descriptor =
    Descriptor::new("Errors", Unit::Count, "Requests answered with a 4xx status");
/// Requests answered with a 5xx status, and panics.
pub const FAULTS: Descriptor =
    Descriptor::new("Faults", Unit::Count, "Requests answered with a 5xx status, and panics");
/// Time from the request's arrival to its end.
pub const LATENCY: Descriptor = Descriptor::new(
    "Latency",
    Unit::Milliseconds,
    "Time from the arrival of a request to the end of its response",
);
/// Bytes of the response's body.
pub const RESPONSE_SIZE: Descriptor =
    Descriptor::new("ResponseSize", Unit::Bytes, "Bytes of the body of a response");
/// Requests being served when one ended.
pub const IN_FLIGHT: Descriptor =
    Descriptor::new("InFlight", Unit::Count, "Requests being served when one ended");

/// The request metrics, in the order of their values.
pub const ALL: [Descriptor; 6] = [REQUESTS, ERRORS, FAULTS, LATENCY, RESPONSE_SIZE, IN_FLIGHT];

/// The dimension that names the service.
pub const SERVICE: &str = "Service";
/// The dimension that names the deployment environment.
pub const ENVIRONMENT: &str = "Environment";
/// The dimension that names the HTTP method.
pub const METHOD: &str = "Method";
/// The dimension that names the route.
pub const ROUTE: &str = "Route";

/// The `Route` of a request that no route matched.
pub const UNMATCHED: &str = "__unmatched__";

/// The `Method` of a request whose method is not one of the registered ones that services use.
pub const OTHER_METHOD: &str = "_OTHER";

/// The request metrics of one service; clones share their state.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::clock::Timestamp;
/// use obs_emf::request::{Observation, RequestMetrics};
///
/// let metrics = RequestMetrics::builder("orders", "prod").build()?;
/// let mut observation = Observation::new("GET");
/// observation.route = Some("/orders/{id}");
/// observation.latency = Duration::from_millis(12);
///
/// let mut line = br#"{"message":"request completed""#.to_vec();
/// let at = Timestamp::from_unix_millis(1_767_225_600_000);
/// let tail = metrics.encode_tail(&mut line, at, &observation);
/// line.push(b'}');
/// assert_eq!(tail.ledger.dropped(), 0);
/// assert!(String::from_utf8_lossy(&line).contains(r#""Route":"/orders/{id}""#));
/// assert!(metrics.ledger().is_conserved());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RequestMetrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shape: Shape,
    ledger: SharedLedger,
}

impl RequestMetrics {
    /// Starts to describe the request metrics of `service` in the deployment `environment`.
    pub fn builder(
        service: impl Into<String>,
        environment: impl Into<String>,
    ) -> RequestMetricsBuilder {
        RequestMetricsBuilder::new(service.into(), environment.into())
    }

    /// The compiled declaration.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.0.shape
    }

    /// What became of the values so far.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.0.ledger.read()
    }

    /// Hands the metrics of a request to `sink`, as a record of their own; they are in the sink's
    /// ledger then.
    ///
    /// ```
    /// use obs_core::log::Ids;
    /// use obs_core::telemetry::Telemetry;
    /// use obs_emf::request::{Observation, RequestMetrics};
    /// use obs_emf::sink::{LineSink, Sink};
    ///
    /// let telemetry = Telemetry::builder("orders").build()?;
    /// let (sink, at) = (LineSink::of(&telemetry), telemetry.clock().wall());
    /// let metrics = RequestMetrics::builder("orders", "prod").build()?;
    /// metrics.emit(at, &Observation::new("GET"), &[], Ids::default(), &sink);
    /// assert_eq!(sink.ledger().dropped(), 0);
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn emit(
        &self,
        timestamp: Timestamp,
        observation: &Observation<'_>,
        extras: &[Extra<'_>],
        ids: Ids<'_>,
        sink: &dyn Sink,
    ) {
        let (dimensions, values) = (observation.dimensions(), observation.values());
        let record = Record::new(self.shape(), timestamp).dimensions(&dimensions);
        sink.emit(&record.values(&values).extras(extras).ids(ids).error(observation.fault));
    }

    /// Appends `,"_aws":{…}`, the dimensions and the metrics of a request to its line.
    ///
    /// The caller writes what comes before and the final `}`. Does not allocate once `out` is
    /// large enough, unless a dimension has to be repaired.
    pub fn encode_tail(
        &self,
        out: &mut Vec<u8>,
        timestamp: Timestamp,
        observation: &Observation<'_>,
    ) -> Tail {
        self.encode_tail_with(out, timestamp, observation, &[], usize::MAX)
    }

    /// As [`encode_tail`](Self::encode_tail), with metrics that the handler recorded.
    ///
    /// Extra metrics stop where the record would have more than 100 metrics or the tail more than
    /// `room` bytes; the rest, `extras[tail.extras..]`, goes out by
    /// [`encode_extras`](Self::encode_extras).
    ///
    /// ```
    /// use obs_core::clock::Timestamp;
    /// use obs_core::metric::{Descriptor, Unit};
    /// use obs_emf::request::{Observation, RequestMetrics};
    ///
    /// static ITEMS: Descriptor = Descriptor::new("Items", Unit::Count, "Items in a placed order");
    ///
    /// let metrics = RequestMetrics::builder("orders", "prod").build()?;
    /// let (mut out, at) = (Vec::new(), Timestamp::from_unix_millis(1_767_225_600_000));
    /// let (observation, extras) = (Observation::new("GET"), [(&ITEMS, 3.0)]);
    /// let tail = metrics.encode_tail_with(&mut out, at, &observation, &extras, 64 * 1024);
    /// assert_eq!(tail.extras, 1);
    /// // What did not fit would go into lines of their own.
    /// let rest = metrics.encode_extras(&mut out, at, &observation, &extras[tail.extras..], 64 * 1024);
    /// assert_eq!((rest.extras, metrics.shape().metrics().len()), (0, 6));
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn encode_tail_with(
        &self,
        out: &mut Vec<u8>,
        timestamp: Timestamp,
        observation: &Observation<'_>,
        extras: &[Extra<'_>],
        room: usize,
    ) -> Tail {
        let (shape, dimensions) = (self.shape(), observation.dimensions());
        let values = observation.values();
        let tail = shape.encode_tail_with(out, timestamp, &dimensions, &values, extras, room);
        self.0.ledger.add(&tail.ledger);
        tail
    }

    /// Appends a tail with the extra metrics only, for a further line of the same request.
    ///
    /// At least one of them finds its fate in each call.
    pub fn encode_extras(
        &self,
        out: &mut Vec<u8>,
        timestamp: Timestamp,
        observation: &Observation<'_>,
        extras: &[Extra<'_>],
        room: usize,
    ) -> Tail {
        let dimensions = observation.dimensions();
        let tail = self.shape().encode_extras(out, timestamp, &dimensions, extras, room);
        self.0.ledger.add(&tail.ledger);
        tail
    }

    /// Writes the metrics of a request into as many parts as they need, for
    /// [`Line::finish_with_tails`](obs_core::log::Line::finish_with_tails).
    ///
    /// ```
    /// use obs_core::clock::Timestamp;
    /// use obs_core::log::{Line, LineFormat, LineLevel};
    /// use obs_emf::request::{Observation, RequestMetrics};
    ///
    /// let metrics = RequestMetrics::builder("orders", "prod").build()?;
    /// let at = Timestamp::from_unix_millis(1_767_225_600_000);
    /// let (mut out, format) = (Vec::new(), LineFormat::new("orders"));
    /// let line = Line::begin(&mut out, &format, at, LineLevel::Info, format_args!("done"), "orders");
    /// let observation = Observation::new("GET");
    /// let line = line.finish_with_tails(metrics.tails(at, &observation, &[]));
    /// assert!(String::from_utf8_lossy(line).contains(r#""Requests":1"#));
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn tails<'t>(
        &'t self,
        timestamp: Timestamp,
        observation: &'t Observation<'t>,
        mut extras: &'t [Extra<'t>],
    ) -> impl FnMut(&mut Vec<u8>, TailRoom) -> bool + 't {
        let mut first = true;
        move |out, room| {
            let tail = if std::mem::take(&mut first) {
                self.encode_tail_with(out, timestamp, observation, extras, room.bytes)
            } else {
                self.encode_extras(out, timestamp, observation, extras, room.bytes)
            };
            extras = &extras[tail.extras..];
            !extras.is_empty()
        }
    }
}
