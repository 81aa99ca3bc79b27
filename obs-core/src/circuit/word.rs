use super::State;

/// The breaker's state in one atomic word: what an admission must know and what a probe changes.
///
/// ```text
///  63..61   60       59..32   31..24    23..16   15..8     7..0
///  state    window   epoch    issued    done     failed    slow
/// ```
///
/// `issued` to `slow` count the probes of the present half-open cycle. A transition replaces the
/// whole word and raises the epoch, so a compare-and-swap made with an older word fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Word(pub(super) u64);

const STATE_SHIFT: u32 = 61;
const WINDOW_SHIFT: u32 = 60;
const EPOCH_SHIFT: u32 = 32;
const EPOCH_MASK: u32 = (1 << 28) - 1;
const ISSUED_SHIFT: u32 = 24;
const DONE_SHIFT: u32 = 16;
const FAILED_SHIFT: u32 = 8;

impl Word {
    pub(super) const fn new(state: State, epoch: u32, window: usize) -> Self {
        Self(
            ((state as u64) << STATE_SHIFT)
                | (((window & 1) as u64) << WINDOW_SHIFT)
                | (((epoch & EPOCH_MASK) as u64) << EPOCH_SHIFT),
        )
    }

    pub(super) const fn state(self) -> State {
        match self.0 >> STATE_SHIFT {
            0 => State::Closed,
            1 => State::Open,
            2 => State::HalfOpen,
            3 => State::ForcedOpen,
            4 => State::Disabled,
            _ => State::MetricsOnly,
        }
    }

    pub(super) const fn epoch(self) -> u32 {
        (self.0 >> EPOCH_SHIFT) as u32 & EPOCH_MASK
    }

    pub(super) const fn window(self) -> usize {
        (self.0 >> WINDOW_SHIFT) as usize & 1
    }

    const fn field(self, shift: u32) -> u32 {
        (self.0 >> shift) as u32 & 0xff
    }

    pub(super) const fn issued(self) -> u32 {
        self.field(ISSUED_SHIFT)
    }

    pub(super) const fn done(self) -> u32 {
        self.field(DONE_SHIFT)
    }

    pub(super) const fn failed(self) -> u32 {
        self.field(FAILED_SHIFT)
    }

    pub(super) const fn slow(self) -> u32 {
        self.field(0)
    }

    /// Probes admitted and not yet ended.
    pub(super) const fn outstanding(self) -> u32 {
        self.issued().saturating_sub(self.done())
    }

    /// One more probe admitted; the caller has checked that fewer than 255 are.
    pub(super) const fn issue(self) -> Self {
        Self(self.0 + (1 << ISSUED_SHIFT))
    }

    /// A probe gave its slot back.
    pub(super) const fn withdraw(self) -> Self {
        Self(self.0 - (1 << ISSUED_SHIFT))
    }

    /// A probe ended.
    pub(super) const fn complete(self, failed: bool, slow: bool) -> Self {
        Self(self.0 + (1 << DONE_SHIFT) + ((failed as u64) << FAILED_SHIFT) + slow as u64)
    }

    /// The word after a transition to `state`.
    pub(super) const fn next(self, state: State, window: usize) -> Self {
        Self::new(state, self.epoch().wrapping_add(1), window)
    }
}

#[cfg(test)]
#[cfg(not(obs_loom))]
mod tests {
    use super::*;

    #[test]
    fn fields_do_not_touch_each_other() {
        let mut word = Word::new(State::HalfOpen, EPOCH_MASK, 1);
        for _ in 0..255 {
            word = word.issue();
        }
        for _ in 0..255 {
            word = word.complete(true, true);
        }
        assert_eq!(word.state(), State::HalfOpen);
        assert_eq!((word.epoch(), word.window()), (EPOCH_MASK, 1));
        assert_eq!((word.issued(), word.done(), word.failed(), word.slow()), (255, 255, 255, 255));
        assert_eq!(word.withdraw().issued(), 254);
        assert_eq!(word.next(State::Closed, 0), Word::new(State::Closed, 0, 0));
    }
}
