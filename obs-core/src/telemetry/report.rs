use crate::output::Ledger;
use crate::trace::SpanLedger;

/// What became of everything a service had to say about itself.
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
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Whether everything was carried out in time.
    pub complete: bool,
    /// What became of everything, at the end.
    pub report: SelfReport,
}
