use super::{Class, DropReason};

const CLASSES: usize = Class::ALL.len();
const REASONS: usize = DropReason::ALL.len();

/// What became of every line of one destination.
///
/// At any time `created = queued + written + sampled_out + dropped()`, and after a shutdown
/// `queued` is 0.
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::output::{Class, DropReason, Output};
///
/// let (output, _capture) = Output::captured();
/// output.write(Class::Request, b"{}\n");
/// output.sampled_out(2);
/// output.dropped(Class::Debug, DropReason::QueueFull, 1);
/// output.flush(Duration::from_secs(1));
///
/// let ledger = output.ledger();
/// assert_eq!((ledger.created, ledger.written, ledger.sampled_out), (4, 1, 2));
/// assert_eq!((ledger.dropped(), ledger.dropped_for(DropReason::QueueFull)), (1, 1));
/// assert_eq!(ledger.dropped_of(Class::Debug, DropReason::QueueFull), 1);
/// assert!(ledger.is_conserved());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ledger {
    /// Lines handed in.
    pub created: u64,
    /// Lines that wait or are being written now.
    pub queued: u64,
    /// Lines the destination has taken whole.
    pub written: u64,
    /// Lines that were left out on purpose, such as the debug lines of a request that went well.
    pub sampled_out: u64,
    /// Bytes that wait or are being written now.
    pub queued_bytes: usize,
    /// The most bytes that may wait.
    pub capacity_bytes: usize,
    /// Writes the destination was asked for.
    pub writes: u64,
    /// Writes that failed, interruptions and retried ones not counted.
    pub write_errors: u64,
    dropped: [[u64; CLASSES]; REASONS],
}

impl Ledger {
    /// Lines lost, for whatever reason.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.iter().flatten().sum()
    }

    /// Lines lost for `reason`.
    #[must_use]
    pub fn dropped_for(&self, reason: DropReason) -> u64 {
        self.dropped[reason as usize].iter().sum()
    }

    /// Lines of `class` lost for `reason`.
    #[must_use]
    pub fn dropped_of(&self, class: Class, reason: DropReason) -> u64 {
        self.dropped[reason as usize][class as usize]
    }

    /// Whether every line is accounted for.
    #[must_use]
    pub fn is_conserved(&self) -> bool {
        self.created == self.queued + self.written + self.sampled_out + self.dropped()
    }

    pub(super) fn add_dropped(&mut self, class: Class, reason: DropReason, lines: u64) {
        self.dropped[reason as usize][class as usize] += lines;
    }
}
