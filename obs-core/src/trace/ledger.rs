use std::fmt;

/// Why a span was not exported although it was recorded.
///
/// ```
/// use obs_core::trace::DropReason;
///
/// assert_eq!(DropReason::TimedOut.as_str(), "timed_out");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DropReason {
    /// The queue held as many spans as it may.
    QueueFull,
    /// The receiver could not be reached.
    Unreachable,
    /// The receiver did not answer in time.
    TimedOut,
    /// The receiver answered that it does not take the span.
    Refused,
    /// The span breaks a rule of the receiver that no change can mend.
    Invalid,
    /// The exporter broke its contract: it panicked, or did not say what became of the span.
    ExporterFault,
    /// The time for shutting down was over, or the span came after it.
    Shutdown,
}

impl DropReason {
    /// Every reason, in the order of declaration.
    pub const ALL: [Self; 7] = [
        Self::QueueFull,
        Self::Unreachable,
        Self::TimedOut,
        Self::Refused,
        Self::Invalid,
        Self::ExporterFault,
        Self::Shutdown,
    ];

    /// The name used in lines and metrics, in `snake_case`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Refused => "refused",
            Self::Invalid => "invalid",
            Self::ExporterFault => "exporter_fault",
            Self::Shutdown => "shutdown",
        }
    }
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Dropped spans by reason.
///
/// ```
/// use obs_core::trace::{DropReason, ExportReport};
///
/// let report = ExportReport::new().dropped(DropReason::Unreachable, 3, "connection refused");
/// let counts = report.dropped_counts();
/// assert_eq!((counts.get(DropReason::Unreachable), counts.total()), (3, 3));
/// assert_eq!(counts.iter().map(|(_, count)| count).sum::<u64>(), 3);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DropCounts([u64; DropReason::ALL.len()]);

impl DropCounts {
    /// Spans dropped for `reason`.
    #[must_use]
    pub const fn get(&self, reason: DropReason) -> u64 {
        self.0[reason as usize]
    }

    /// All dropped spans.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    /// Every reason with its count.
    pub fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> + '_ {
        DropReason::ALL.into_iter().map(|reason| (reason, self.get(reason)))
    }

    pub(super) fn add(&mut self, reason: DropReason, count: u64) {
        let slot = &mut self.0[reason as usize];
        *slot = slot.saturating_add(count);
    }
}

/// What became of the spans of a [`Tracer`](super::Tracer).
///
/// At any time `created = exported + sampled_out + dropped + pending`; after shutdown `pending` is
/// zero.
///
/// ```
/// use obs_core::trace::Tracer;
///
/// let ledger = Tracer::disabled().ledger();
/// assert!(ledger.is_balanced());
/// assert_eq!((ledger.created, ledger.pending), (0, 0));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpanLedger {
    /// Spans that ended, whether sampled or not.
    pub created: u64,
    /// Spans the receiver has taken; over UDP, spans handed to the network.
    pub exported: u64,
    /// Request spans that were not built because their trace is not sampled.
    pub sampled_out: u64,
    /// Of the created spans, those of unsampled requests that ended badly and were recorded after all.
    pub upgraded: u64,
    /// Spans that were lost.
    pub dropped: DropCounts,
    /// Spans in the queue or on their way to the receiver.
    pub pending: u64,
    /// What the exporter said last about a failure.
    pub last_error: Option<String>,
}

impl SpanLedger {
    /// Whether every span has exactly one fate.
    #[must_use]
    pub fn is_balanced(&self) -> bool {
        self.created == self.exported + self.sampled_out + self.dropped.total() + self.pending
    }
}
