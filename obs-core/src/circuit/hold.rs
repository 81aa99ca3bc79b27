//! References to a breaker that threads do not contend for.

use std::sync::Arc;

use super::machine::Machine;
use super::shard::SHARDS;
use crate::clock::Clock;

/// What all handles of a breaker and all its calls have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) machine: Machine,
    pub(super) clock: Clock,
}

/// What a call holds on to the breaker by: one per shard, whose reference count only the threads
/// of that shard write.
#[derive(Debug)]
pub(super) struct Hold {
    pub(super) shared: Arc<Shared>,
    /// Keeps the next one's count from the cache line of this one's, and from its neighbour, which
    /// processors fetch with it.
    _apart: [u64; 14],
}

/// One of each. Aligned, for the count of handles stands before it and changes with each clone.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Holds {
    by_shard: [Arc<Hold>; SHARDS],
    pub(super) shared: Arc<Shared>,
}

impl Holds {
    pub(super) fn new(machine: Machine, clock: Clock) -> Self {
        let shared = Arc::new(Shared { machine, clock });
        let hold = |_| Arc::new(Hold { shared: Arc::clone(&shared), _apart: [0; 14] });
        Self { by_shard: std::array::from_fn(hold), shared }
    }

    #[inline]
    pub(super) fn of(&self, shard: u8) -> Arc<Hold> {
        Arc::clone(&self.by_shard[usize::from(shard) % SHARDS])
    }

    /// How many calls hold on.
    pub(super) fn held(&self) -> usize {
        self.by_shard.iter().map(|hold| Arc::strong_count(hold) - 1).sum()
    }
}
