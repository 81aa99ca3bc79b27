use std::fmt;

/// What a run has shown.
///
/// ```
/// use std::time::Duration;
///
/// use obs_ratelimit::sim::{Fleet, Load};
/// use obs_ratelimit::{LeaseConfig, Quota};
///
/// let report = Fleet::new(Quota::per_second(200), LeaseConfig::new())
///     .nodes(2)
///     .load(Load::Even { per_second: 400.0 })
///     .run_for(Duration::from_secs(3), 7)?;
/// // Beside one limit that saw every request at once.
/// assert!(report.of_central() > 0.5);
/// assert!(report.writes_per_million() < 1_000_000);
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// Requests that came.
    pub requests: u64,
    /// Requests that were admitted.
    pub admitted: u64,
    /// Of those, admitted without the store.
    pub admitted_in_fallback: u64,
    /// Requests that an ideal single bucket would have admitted of the same arrivals.
    pub central: u64,
    /// The most admitted in any span of 1 s.
    pub worst_second: u64,
    /// The same of the ideal bucket.
    pub central_worst_second: u64,
    /// The most that the configuration promises for a span of 1 s while the store answers.
    pub bound_in_a_second: u64,
    /// The most admitted in any one window of a quota that counts per window; 0 for a rate.
    pub worst_window: u64,
    /// Writes to the store.
    pub writes: u64,
    /// The longest that a request waited for the store, in milliseconds.
    pub longest_wait_ms: u64,
    /// Tokens that were given back unused.
    pub returned: u64,
}

impl Report {
    /// Store writes for each million requests.
    #[must_use]
    pub const fn writes_per_million(&self) -> u64 {
        match self.requests {
            0 => 0,
            requests => self.writes.saturating_mul(1_000_000) / requests,
        }
    }

    /// What was admitted, as a part of what the ideal bucket would have admitted.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "a figure to read")]
    pub fn of_central(&self) -> f64 {
        self.admitted as f64 / self.central.max(1) as f64
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>9} requests, {:>8} admitted ({:.3} of one bucket), worst second {:>5} (one bucket \
             {:>5}, bound {:>5}), {:>6} writes per million, longest wait {} ms",
            self.requests,
            self.admitted,
            self.of_central(),
            self.worst_second,
            self.central_worst_second,
            self.bound_in_a_second,
            self.writes_per_million(),
            self.longest_wait_ms,
        )
    }
}
