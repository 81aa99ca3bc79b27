use super::word::Word;
use crate::clock::Instant;
use crate::deadline::Deadline;

/// What an admitted call carries.
///
/// What is told in [running time](crate::clock::Clock::running) leaves out what the process was
/// frozen: that makes no call slow or late.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    /// In running time.
    pub(super) started: Instant,
    /// In running time; the end of time for a call without one.
    pub(super) deadline: Deadline,
    /// By which it was admitted.
    pub(super) word: Word,
    pub(super) kind: TicketKind,
    pub(super) shard: u8,
    /// Whether it had to wait for its answer.
    pub(super) waits: bool,
    /// Whether it counts among the calls in flight.
    pub(super) in_flight: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TicketKind {
    /// Admitted by a state that judges or records.
    Counted,
    Probe,
    /// Admitted by a disabled breaker.
    Uncounted,
    /// Refused, but shadow mode let it pass.
    Shadow,
}

impl Ticket {
    pub(super) const fn epoch(&self) -> u32 {
        self.word.epoch()
    }

    /// Whether shadow mode alone let the call pass.
    pub(super) const fn is_shadow(&self) -> bool {
        matches!(self.kind, TicketKind::Shadow)
    }
}
