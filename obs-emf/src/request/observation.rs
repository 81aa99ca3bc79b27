use std::time::Duration;

use obs_core::id::TraceId;

use super::{OTHER_METHOD, UNMATCHED};
use crate::encode::ABSENT;

/// The values that the dimension of methods takes at most.
pub(super) const METHODS: u64 = 11;

/// What the metrics need to know of a request that ended.
///
/// ```
/// use std::time::Duration;
///
/// use obs_emf::request::Observation;
///
/// let mut observation = Observation::new("POST");
/// observation.route = Some("/orders");
/// observation.fault = true;
/// observation.latency = Duration::from_millis(250);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Observation<'a> {
    /// The method; one that is not registered becomes [`OTHER_METHOD`].
    pub method: &'a str,
    /// The template of the route, never the raw path; `None` becomes [`UNMATCHED`].
    pub route: Option<&'a str>,
    /// Answered with a 4xx status.
    pub error: bool,
    /// Answered with a 5xx status, panicked, or otherwise failed by the service.
    pub fault: bool,
    /// From arrival to end.
    pub latency: Duration,
    /// Bytes of the response's body; `None` leaves the metric out.
    pub response_size: Option<u64>,
    /// Requests being served now, this one included.
    pub in_flight: u64,
    /// The trace, for the exemplars of aggregated metrics.
    pub trace_id: Option<TraceId>,
}

impl<'a> Observation<'a> {
    /// A request that succeeded at once; set the other fields with `..Observation::new(method)`.
    #[must_use]
    pub const fn new(method: &'a str) -> Self {
        Self {
            method,
            route: None,
            error: false,
            fault: false,
            latency: Duration::ZERO,
            response_size: None,
            in_flight: 1,
            trace_id: None,
        }
    }

    pub(super) fn dimensions(&self) -> [&'a str; 2] {
        [known_method(self.method), self.route.unwrap_or(UNMATCHED)]
    }

    pub(super) fn values(&self) -> [f64; 6] {
        [
            1.0,
            f64::from(u8::from(self.error)),
            f64::from(u8::from(self.fault)),
            millis(self.latency),
            self.response_size.map_or(ABSENT, |size| size as f64),
            self.in_flight as f64,
        ]
    }
}

/// Milliseconds with microseconds behind the point: what is finer is noise, and costs digits.
fn millis(duration: Duration) -> f64 {
    let seconds = duration.as_secs().saturating_mul(1_000_000);
    seconds.saturating_add(u64::from(duration.subsec_micros())) as f64 / 1_000.0
}

/// Callers choose the method, so only known ones become the value of a dimension.
fn known_method(method: &str) -> &str {
    match method {
        "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD" | "OPTIONS" | "CONNECT" | "TRACE"
        | "QUERY" => method,
        _ => OTHER_METHOD,
    }
}
