use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use obs_core::clock::Clock;

use super::{GiveBack, Grant, Hold, Store, StoreFuture, StoreKey, Take};
use crate::local::{
    BucketCell, Cell, Charged, Grain, Slot, Table, TimeBase, Timer, Wait, WindowCell,
};
use crate::quota::SharedPlan;

/// A store in this process: for tests, simulations, and services that run as one process.
///
/// It holds `max_keys` counts in memory taken at once. It never forgets one that still counts:
/// keys beyond the bound share counts, which can refuse too early and never too late; beyond it
/// no places are held for further keys. Clones share the counts.
///
/// ```
/// use std::sync::Arc;
///
/// use obs_core::clock::Clock;
/// use obs_ratelimit::{Key, LeaseConfig, MemoryStore, Policy, Quota};
///
/// // Several limiters of one process that share a limit, as in a test of a fleet.
/// let store = Arc::new(MemoryStore::new(Clock::system(), 10_000));
/// let policy = Policy::builder("tenant", Quota::per_second(100))
///     .key(Key::tenant())
///     .leased(store, LeaseConfig::new())
///     .build()?;
/// # let _ = policy;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct MemoryStore {
    table: Arc<Table<Kept>>,
    places: Arc<Mutex<Places>>,
    timer: Arc<Timer>,
}

/// A count and how many takes of it got tokens.
#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    counted: Counted,
    grants: u64,
}

#[derive(Clone, Copy, Debug, Default)]
enum Counted {
    #[default]
    Unused,
    Bucket(BucketCell),
    Window(WindowCell),
}

/// Who holds places, by key.
#[derive(Debug, Default)]
struct Places {
    holders: HashMap<StoreKey, Vec<Held>>,
    max_keys: usize,
}

#[derive(Clone, Copy, Debug)]
struct Held {
    holder: u64,
    turn: u64,
    places: u64,
    until: u64,
}

impl MemoryStore {
    /// A store with room for `max_keys` counts, on this clock.
    #[must_use]
    pub fn new(clock: Clock, max_keys: usize) -> Self {
        let places = Places { holders: HashMap::new(), max_keys: max_keys.max(1) };
        Self {
            table: Arc::new(Table::new(max_keys)),
            places: Arc::new(Mutex::new(places)),
            timer: Arc::new(Timer::new(clock)),
        }
    }

    /// Takes tokens now, as [`Store::take`] does.
    pub(crate) fn take_now(&self, take: Take) -> Grant {
        self.table.with(fingerprint(take.key), self.now(), |kept, now, _| match take.quota.plan {
            SharedPlan::Bucket(plan) => {
                let mut cell = kept.counted.bucket();
                let grant = take_from(&mut cell, &plan, *now, &take);
                kept.granted(Counted::Bucket(cell), grant)
            }
            SharedPlan::Window(plan) => {
                let mut cell = kept.counted.window();
                let mut grant = take_from(&mut cell, &plan, *now, &take);
                let (start, end) = plan.bounds(*now);
                (grant.window, grant.valid_for) = (start, Duration::from_nanos(end - *now));
                kept.granted(Counted::Window(cell), grant)
            }
        })
    }

    /// Puts tokens back now, as [`Store::give_back`] does.
    pub(crate) fn give_back_now(&self, back: GiveBack) {
        self.table.with(fingerprint(back.key), self.now(), |kept, now, _| match back.quota.plan {
            SharedPlan::Bucket(plan) => {
                let mut cell = kept.counted.bucket();
                cell.grant(&plan, *now, back.tokens);
                kept.counted = Counted::Bucket(cell);
            }
            SharedPlan::Window(plan) => {
                let mut cell = kept.counted.window();
                let (_, end) = plan.bounds(back.window);
                cell.refund(*now, Charged { amount: back.tokens, stamp: end });
                kept.counted = Counted::Window(cell);
            }
        });
    }

    fn hold_now(&self, hold: Hold) -> Grant {
        let now = self.now();
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.hold(hold, now)
    }

    /// A store outlives a suspension, whatever the period.
    fn now(&self) -> u64 {
        self.timer.now(TimeBase::Steady, Grain::Exact)
    }
}

/// Keys are keyed hashes already; both halves count.
fn fingerprint(key: StoreKey) -> u64 {
    (key.bits() >> 64) as u64 ^ key.bits() as u64
}

fn take_from<C: Cell>(cell: &mut C, plan: &C::Plan, now: u64, take: &Take) -> Grant {
    if take.debit > 0 {
        cell.debit(plan, now, take.debit);
    }
    let remaining = cell.standing(plan, now).remaining;
    let (tokens, least) = (remaining.min(take.want), take.least.max(1));
    let nothing = Grant { tokens: 0, remaining, ..NOTHING };
    if tokens < least {
        // There is enough, and nothing was wanted.
        if remaining >= least {
            return nothing;
        }
        // A refusal charges nothing; it cuts a debt that is deeper than this quota allows.
        return match cell.spend(plan, now, least) {
            Err(Wait::Nanos(wait)) => Grant { wait: Duration::from_nanos(wait), ..nothing },
            _ => Grant { wait: Duration::MAX, ..nothing },
        };
    }
    match cell.spend(plan, now, tokens) {
        Ok(_) => Grant { tokens, remaining: remaining - tokens, ..nothing },
        Err(_) => nothing,
    }
}

const NOTHING: Grant = Grant {
    tokens: 0,
    remaining: 0,
    wait: Duration::ZERO,
    grants: 0,
    window: 0,
    valid_for: Duration::MAX,
};

impl Kept {
    fn granted(&mut self, counted: Counted, grant: Grant) -> Grant {
        self.counted = counted;
        self.grants = self.grants.wrapping_add(u64::from(grant.tokens > 0));
        Grant { grants: self.grants, ..grant }
    }
}

/// A count of another kind than the quota's is of a quota that the key had before.
impl Counted {
    fn bucket(self) -> BucketCell {
        if let Self::Bucket(cell) = self { cell } else { BucketCell::default() }
    }

    fn window(self) -> WindowCell {
        if let Self::Window(cell) = self { cell } else { WindowCell::default() }
    }
}

impl Slot for Kept {
    fn is_fresh(&self, now: u64) -> bool {
        match &self.counted {
            Counted::Unused => true,
            Counted::Bucket(cell) => cell.is_fresh(now),
            Counted::Window(cell) => cell.is_fresh(now),
        }
    }
}

impl Places {
    fn hold(&mut self, hold: Hold, now: u64) -> Grant {
        if self.holders.len() >= self.max_keys && !self.holders.contains_key(&hold.key) {
            self.holders.retain(|_, holders| holders.iter().any(|it| it.until > now));
            if self.holders.len() >= self.max_keys {
                return NOTHING;
            }
        }
        let holders = self.holders.entry(hold.key).or_default();
        holders.retain(|it| it.until > now);
        if holders.iter().any(|it| it.holder == hold.holder && it.turn >= hold.turn) {
            return NOTHING;
        }
        holders.retain(|it| it.holder != hold.holder);
        let others: u64 = holders.iter().map(|it| it.places).sum();
        let free = hold.limit.saturating_sub(others.saturating_add(hold.keep));
        let tokens = free.min(hold.want);
        let tokens = if tokens < hold.least { 0 } else { tokens };
        let places = hold.keep.saturating_add(tokens);
        if places > 0 {
            let valid_for = u64::try_from(hold.valid_for.as_nanos()).unwrap_or(u64::MAX);
            let until = now.saturating_add(valid_for);
            holders.push(Held { holder: hold.holder, turn: hold.turn, places, until });
        }
        if holders.is_empty() {
            self.holders.remove(&hold.key);
        }
        Grant { tokens, remaining: free - tokens, valid_for: hold.valid_for, ..NOTHING }
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

    fn hold(&self, hold: Hold) -> StoreFuture<Grant> {
        let grant = self.hold_now(hold);
        Box::pin(std::future::ready(Ok(grant)))
    }

    fn reset(&self, key: StoreKey) -> StoreFuture<()> {
        self.table.forget(fingerprint(key));
        self.places.lock().unwrap_or_else(PoisonError::into_inner).holders.remove(&key);
        Box::pin(std::future::ready(Ok(())))
    }
}
