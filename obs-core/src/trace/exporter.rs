use std::fmt;
use std::time::Duration;

use super::ledger::{DropCounts, DropReason};
use super::record::SpanRecord;

/// Takes batches of finished spans to where they are kept.
///
/// It runs on the [`Tracer`](super::Tracer)'s own thread and may block there. It answers for every
/// span of the batch: each is either exported or dropped for a reason. Waiting beyond `limit` costs
/// the spans: a tracer that shuts down does not wait for its exporter longer than it was told to.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::trace::{ExportReport, SpanExporter, SpanRecord, Tracer};
///
/// /// Prints the names of spans.
/// #[derive(Debug)]
/// struct Names;
///
/// impl SpanExporter for Names {
///     fn export(&mut self, batch: &[SpanRecord], _limit: Duration) -> ExportReport {
///         for span in batch {
///             eprintln!("{} took {:?}", span.name.as_str(), span.duration());
///         }
///         ExportReport::new().exported(batch.len())
///     }
/// }
///
/// let tracer = Tracer::builder().exporter(Names).build()?;
/// assert!(tracer.is_recording());
/// assert!(tracer.shutdown(Duration::from_secs(5)));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
pub trait SpanExporter: Send + fmt::Debug + 'static {
    /// Exports `batch`, within `limit`.
    fn export(&mut self, batch: &[SpanRecord], limit: Duration) -> ExportReport;

    /// Ends connections, within `limit`. Nothing is exported afterwards.
    fn shutdown(&mut self, limit: Duration) {
        let _ = limit;
    }
}

/// What became of a batch.
///
/// ```
/// use obs_core::trace::{DropReason, ExportReport};
///
/// let report = ExportReport::new().exported(2).dropped(DropReason::Refused, 1, "HTTP 400");
/// assert_eq!(report.exported_count(), 2);
/// assert_eq!(report.dropped_counts().get(DropReason::Refused), 1);
/// assert_eq!(report.error(), Some("HTTP 400"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportReport {
    pub(super) exported: u64,
    pub(super) dropped: DropCounts,
    pub(super) error: Option<String>,
}

impl ExportReport {
    /// A report about no span yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `count` more spans were exported.
    #[must_use]
    pub const fn exported(mut self, count: usize) -> Self {
        self.exported += count as u64;
        self
    }

    /// `count` more spans were dropped for `reason`; `error` says what happened.
    #[must_use]
    pub fn dropped(mut self, reason: DropReason, count: usize, error: impl fmt::Display) -> Self {
        self.dropped.add(reason, count as u64);
        self.error = Some(error.to_string());
        self
    }

    /// How many spans were exported.
    #[must_use]
    pub const fn exported_count(&self) -> u64 {
        self.exported
    }

    /// How many spans were dropped, by reason.
    #[must_use]
    pub const fn dropped_counts(&self) -> &DropCounts {
        &self.dropped
    }

    /// What was said last about a failure.
    #[must_use]
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Makes the report account for exactly `batch` spans.
    pub(super) fn settle(mut self, batch: u64) -> Self {
        let named = self.exported.saturating_add(self.dropped.total());
        if named > batch {
            let mut fault = Self::default();
            fault.dropped.add(DropReason::ExporterFault, batch);
            fault.error = Some(format!("the exporter reported {named} of {batch} spans"));
            return fault;
        }
        if named < batch {
            self.dropped.add(DropReason::ExporterFault, batch - named);
            self.error =
                self.error.or_else(|| Some("the exporter did not report every span".to_owned()));
        }
        self
    }
}
