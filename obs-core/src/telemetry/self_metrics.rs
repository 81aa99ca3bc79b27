//! The self-report as metrics.

use std::sync::PoisonError;

use super::Telemetry;
use crate::metric::{Descriptor, Unit};
use crate::output::DropReason;
use crate::trace;

static LINES_WRITTEN: Descriptor =
    Descriptor::new("LinesWritten", Unit::Count, "Lines the first destination has taken");
static LINES_DROPPED: Descriptor = Descriptor::new("LinesDropped", Unit::Count, "Lines lost");
static LINE_QUEUE_BYTES: Descriptor =
    Descriptor::new("LineQueueBytes", Unit::Bytes, "Bytes of lines that wait");
static LINE_WRITE_ERRORS: Descriptor =
    Descriptor::new("LineWriteErrors", Unit::Count, "Writes that failed");
static SPANS_EXPORTED: Descriptor =
    Descriptor::new("SpansExported", Unit::Count, "Spans the receiver has taken");
static SPANS_DROPPED: Descriptor = Descriptor::new("SpansDropped", Unit::Count, "Spans lost");
static SPANS_PENDING: Descriptor = Descriptor::new("SpansPending", Unit::Count, "Spans that wait");

/// What was recorded so far, so that counters grow by what is new.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    lines_written: u64,
    lines_dropped: [u64; DropReason::ALL.len()],
    line_write_errors: u64,
    spans_exported: u64,
    spans_dropped: [u64; trace::DropReason::ALL.len()],
}

impl Telemetry {
    /// Records the self-report as metrics: `LinesWritten`, `LinesDropped` by `Reason`,
    /// `LineWriteErrors`, `LineQueueBytes`, `SpansExported`, `SpansDropped` by `Reason` and
    /// `SpansPending`.
    ///
    /// Counters grow by what is new since the call before. [`flush`](Self::flush) and
    /// [`shutdown`](Self::shutdown) call it first; what carries metrics out by itself, such as the
    /// flusher of obs-emf, calls it once in each period, through a
    /// [`WeakTelemetry`](super::WeakTelemetry). Must not be called by the recorder itself.
    pub fn record_self_metrics(&self) {
        let report = self.report();
        let recorder = self.recorder();
        let mut recorded = self.0.self_metrics.lock().unwrap_or_else(PoisonError::into_inner);
        let grow = |metric: &Descriptor, reason: Option<&str>, seen: &mut u64, total: u64| {
            let new = total.saturating_sub(std::mem::replace(seen, total));
            if new > 0 {
                match reason {
                    Some(reason) => recorder.counter(metric, &[("Reason", reason)]).add(new),
                    None => recorder.counter(metric, &[]).add(new),
                }
            }
        };
        let Recorded { lines_written, lines_dropped, line_write_errors, .. } = &mut *recorded;
        grow(&LINES_WRITTEN, None, lines_written, report.lines.written);
        grow(&LINE_WRITE_ERRORS, None, line_write_errors, report.lines.write_errors);
        for (reason, seen) in DropReason::ALL.into_iter().zip(lines_dropped) {
            let total = report.lines.dropped_for(reason);
            grow(&LINES_DROPPED, Some(reason.as_str()), seen, total);
        }
        grow(&SPANS_EXPORTED, None, &mut recorded.spans_exported, report.spans.exported);
        for ((reason, total), seen) in report.spans.dropped.iter().zip(&mut recorded.spans_dropped)
        {
            grow(&SPANS_DROPPED, Some(reason.as_str()), seen, total);
        }
        recorder.gauge(&LINE_QUEUE_BYTES, &[]).set(report.lines.queued_bytes as f64);
        recorder.gauge(&SPANS_PENDING, &[]).set(report.spans.pending as f64);
    }
}
