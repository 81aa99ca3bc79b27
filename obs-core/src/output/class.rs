/// What a line is worth when there is no room for all of them.
///
/// The order is the order of sacrifice: when the queue fills up, `Debug` is refused first and
/// `Error` last.
///
/// ```
/// use obs_core::output::Class;
///
/// // When there is too much, what matters least goes first.
/// assert!(Class::Debug < Class::Error);
/// assert_eq!(Class::Request.as_str(), "request");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Lines below `INFO`.
    Debug,
    /// `INFO` lines.
    Info,
    /// `WARN` lines.
    Warn,
    /// Lines that carry metrics and are no request line.
    Metric,
    /// The one line of a request.
    Request,
    /// `ERROR` lines, those of failed requests among them.
    Error,
}

impl Class {
    /// Every class, in the order of sacrifice.
    pub const ALL: [Self; 6] =
        [Self::Debug, Self::Info, Self::Warn, Self::Metric, Self::Request, Self::Error];

    /// The name used in documents and metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Metric => "metric",
            Self::Request => "request",
            Self::Error => "error",
        }
    }

    /// How much of a queue of `capacity` bytes lines of this class may fill.
    pub(super) const fn share_of(self, capacity: usize) -> usize {
        match self {
            Self::Debug => capacity / 2,
            Self::Info => capacity / 4 * 3,
            Self::Warn => capacity / 8 * 7,
            Self::Metric | Self::Request => capacity / 16 * 15,
            Self::Error => capacity,
        }
    }
}

/// Why a line was lost.
///
/// ```
/// use obs_core::output::{Class, DropReason, Output};
///
/// let (output, _capture) = Output::captured();
/// output.dropped(Class::Debug, DropReason::RateLimited, 3);
/// assert_eq!(output.ledger().dropped_for(DropReason::RateLimited), 3);
/// assert_eq!(DropReason::RateLimited.as_str(), "rate_limited");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The share of the queue that its class may fill was full.
    QueueFull,
    /// The line is longer than the whole queue.
    TooLong,
    /// The destination refused it: a closed pipe, a full disk.
    WriteError,
    /// The deadline of the shutdown passed before it was written.
    ShutdownDeadline,
    /// It came after a shutdown that had to leave the destination behind.
    Closed,
    /// Its call site wrote more lines than its rate limit allows.
    RateLimited,
    /// The flight recorder of its request was full.
    RecorderFull,
}

impl DropReason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::QueueFull,
        Self::TooLong,
        Self::WriteError,
        Self::ShutdownDeadline,
        Self::Closed,
        Self::RateLimited,
        Self::RecorderFull,
    ];

    /// The name used in documents and metric labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::TooLong => "too_long",
            Self::WriteError => "write_error",
            Self::ShutdownDeadline => "shutdown_deadline",
            Self::Closed => "closed",
            Self::RateLimited => "rate_limited",
            Self::RecorderFull => "recorder_full",
        }
    }
}
