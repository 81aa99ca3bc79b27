use crate::output::Ledger;
use crate::trace::SpanLedger;

/// What became of everything a service had to say about itself.
///
/// ```
/// use obs_core::telemetry::Telemetry;
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// let report = telemetry.report();
/// assert!(report.lines.is_conserved() && report.spans.is_balanced());
/// assert_eq!(report.last_line_error, None);
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SelfReport {
    /// The lines handed to the first destination.
    pub lines: Ledger,
    /// The lines handed to each destination.
    pub line_destinations: Vec<Ledger>,
    /// The last error of a destination of lines.
    pub last_line_error: Option<String>,
    /// The spans.
    pub spans: SpanLedger,
}

/// How a shutdown went.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::telemetry::Telemetry;
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// let shutdown = telemetry.shutdown(Duration::from_secs(5));
/// assert!(shutdown.complete);
/// assert_eq!(shutdown.report.lines.queued, 0);
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Whether everything was carried out in time.
    pub complete: bool,
    /// What became of everything, at the end.
    pub report: SelfReport,
}
