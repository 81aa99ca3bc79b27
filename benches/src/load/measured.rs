//! What callers saw.

use std::time::Duration;

use hdrhistogram::Histogram;

/// What callers saw of a service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Requests that were answered with 200.
    pub requests: u64,
    /// Requests that were answered otherwise, or not.
    pub errors: u64,
    /// How long the callers called.
    pub elapsed: Duration,
    /// The latency that half of the requests did not exceed.
    pub p50: Duration,
    /// The latency that 99 % did not exceed.
    pub p99: Duration,
    /// The latency that 99.9 % did not exceed.
    pub p999: Duration,
}

impl Measured {
    pub(super) fn new(latencies: &Histogram<u64>, errors: u64, elapsed: Duration) -> Self {
        let at = |quantile| Duration::from_nanos(latencies.value_at_quantile(quantile));
        let (p50, p99, p999) = (at(0.5), at(0.99), at(0.999));
        Self { requests: latencies.len(), errors, elapsed, p50, p99, p999 }
    }

    /// Requests in a second.
    #[must_use]
    pub fn per_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }
}
