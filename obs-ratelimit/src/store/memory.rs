use std::sync::Arc;

use obs_core::clock::Clock;

use super::{GiveBack, Grant, Store, StoreFuture, Take};
use crate::engine::Timer;
use crate::local::{BucketCell, Cell, Slot, Standing, Table, TimeBase, Wait};

/// A store in this process: for tests, simulations, and services that run as one process.
///
/// It holds `max_keys` buckets in memory taken at once. It never forgets a bucket that is not full
/// again: keys beyond the bound share buckets, which can refuse too early and never too late.
/// Clones share the buckets.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    table: Arc<Table<Kept>>,
    timer: Arc<Timer>,
}

/// A bucket and how many takes of it got tokens.
#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    bucket: BucketCell,
    grants: u64,
}

impl MemoryStore {
    /// A store with room for `max_keys` buckets, on this clock.
    #[must_use]
    pub fn new(clock: Clock, max_keys: usize) -> Self {
        let table = Arc::new(Table::new(max_keys));
        Self { table, timer: Arc::new(Timer::new(clock)) }
    }

    /// Takes tokens now, as [`Store::take`] does.
    pub(crate) fn take_now(&self, take: Take) -> Grant {
        let plan = take.bucket.plan;
        let fingerprint = fingerprint(take.key.bits());
        self.table.with(fingerprint, self.now(), |kept, now, _| {
            if take.debit > 0 {
                kept.bucket.debit(&plan, now, take.debit);
            }
            let standing = kept.bucket.standing(&plan, now);
            let tokens = standing.remaining.min(take.want);
            if tokens < take.least.max(1) {
                let refused = kept.bucket.spend(&plan, now, take.least.max(1)).err();
                let wait = match refused {
                    Some(Wait::Nanos(wait)) => std::time::Duration::from_nanos(wait),
                    _ => std::time::Duration::MAX,
                };
                let Standing { remaining, .. } = standing;
                return Grant { tokens: 0, remaining, wait, grants: kept.grants };
            }
            let spent = kept.bucket.spend(&plan, now, tokens);
            debug_assert!(spent.is_ok(), "what remains can be spent");
            kept.grants = kept.grants.wrapping_add(1);
            let remaining = standing.remaining - tokens;
            Grant { tokens, remaining, wait: std::time::Duration::ZERO, grants: kept.grants }
        })
    }

    /// Puts tokens back now, as [`Store::give_back`] does.
    pub(crate) fn give_back_now(&self, back: GiveBack) {
        let plan = back.bucket.plan;
        self.table.with(fingerprint(back.key.bits()), self.now(), |kept, now, _| {
            kept.bucket.grant(&plan, now, back.tokens);
        });
    }

    /// A store outlives a suspension, whatever the period.
    fn now(&self) -> u64 {
        self.timer.now(TimeBase::Steady)
    }
}

/// Keys are keyed hashes already; both halves count.
fn fingerprint(bits: u128) -> u64 {
    (bits >> 64) as u64 ^ bits as u64
}

impl Slot for Kept {
    fn is_fresh(&self, now: u64) -> bool {
        self.bucket.is_fresh(now)
    }
}

impl Store for MemoryStore {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn take(&self, take: Take) -> StoreFuture<Grant> {
        let grant = self.take_now(take);
        Box::pin(std::future::ready(Ok(grant)))
    }

    fn give_back(&self, back: GiveBack) -> StoreFuture<()> {
        self.give_back_now(back);
        Box::pin(std::future::ready(Ok(())))
    }
}
