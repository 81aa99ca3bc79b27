use std::fmt;

use super::Slot;
use super::sync::{AtomicU64, Mutex, MutexGuard, Ordering, PoisonError};

/// Cells for a bounded number of keys, which never forgets a key in debt.
///
/// Keys are 64-bit keyed fingerprints. A set of [`WAYS`] cells shares a lock; with buckets it fills
/// two cache lines side by side, and most keys are found in the first. A new key takes an empty cell or one that is fresh again, whose
/// former key loses nothing. If all cells of its set are in debt, the key shares one of
/// [`SHARED`] overflow cells with others, and stays there until that cell is fresh: a key that
/// moved earlier would leave its debt behind.
pub(crate) struct Table<C> {
    sets: Box<[Padded<C>]>,
    shared: Box<[Mutex<Shared<C>>]>,
    /// Overflow cells that were used and not yet seen fresh; 0 spares their lookup.
    shared_in_use: AtomicU64,
    overflowed: AtomicU64,
}

/// Cells of a set. Behind the lock, the time and four fingerprints, the first line has room for the
/// first bucket; the second line has the other three.
pub(super) const WAYS: usize = 4;
/// Overflow cells of a table.
pub(crate) const SHARED: usize = if cfg!(obs_loom) { 1 } else { 1_024 };

#[repr(align(128))]
struct Padded<C>(Mutex<Set<C>>);

#[repr(C)]
struct Set<C> {
    latest: u64,
    fingerprints: [u64; WAYS],
    cells: [C; WAYS],
}

struct Shared<C> {
    cell: C,
    latest: u64,
    in_use: bool,
}

/// Where the cell of a key is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// The key has a cell of its own.
    #[default]
    Own,
    /// The key shares an overflow cell.
    Shared,
}

impl<C: Slot> Table<C> {
    /// A table for at least `keys` keys; the memory is taken now and never grows.
    ///
    /// Chance gives some sets more keys than others. An eighth of the cells is spare, so that of as
    /// many keys in debt as the table is for, one in seven has to share a cell.
    pub(crate) fn new(keys: usize) -> Self {
        let set = || {
            let set = Set { fingerprints: [0; WAYS], latest: 0, cells: [C::default(); WAYS] };
            Padded(Mutex::new(set))
        };
        let shared = || Mutex::new(Shared { cell: C::default(), latest: 0, in_use: false });
        let sets = if keys <= WAYS { 1 } else { keys.saturating_mul(2).div_ceil(2 * WAYS - 1) };
        Self {
            sets: std::iter::repeat_with(set).take(sets).collect(),
            shared: std::iter::repeat_with(shared).take(SHARED).collect(),
            shared_in_use: AtomicU64::new(0),
            overflowed: AtomicU64::new(0),
        }
    }

    /// The bytes it holds, all of them from the start.
    pub(crate) fn memory(&self) -> usize {
        size_of_val(&*self.sets) + size_of_val(&*self.shared)
    }

    /// How often a key had to share a cell.
    pub(crate) fn overflowed(&self) -> u64 {
        self.overflowed.load(Ordering::Relaxed)
    }

    /// Runs `act` on the cell of `fingerprint`, which is found or claimed. Time goes back for no
    /// cell: `act` is given the latest time that its set has seen, and may move that on.
    #[inline]
    pub(crate) fn with<R>(
        &self,
        fingerprint: u64,
        now: u64,
        act: impl FnOnce(&mut C, &mut u64, Place) -> R,
    ) -> R {
        let fingerprint = fingerprint.max(1);
        let mut guard = lock(&self.set(fingerprint).0);
        let set = &mut *guard;
        set.advance(now);
        if let Some(way) = set.find(fingerprint) {
            return act(&mut set.cells[way], &mut set.latest, Place::Own);
        }
        if let Some(way) = self.claim(set, fingerprint) {
            return act(&mut set.cells[way], &mut set.latest, Place::Own);
        }
        self.overflowed.fetch_add(1, Ordering::Relaxed);
        self.with_shared(fingerprint, set.latest, act)
    }

    /// A cell of its own for a key that has none, if its set has one to give and the key has left
    /// no debt elsewhere.
    fn claim(&self, set: &mut Set<C>, fingerprint: u64) -> Option<usize> {
        if self.is_shared(fingerprint, set.latest) {
            return None;
        }
        let way = set.vacancy(set.latest)?;
        set.fingerprints[way] = fingerprint;
        set.cells[way] = C::default();
        Some(way)
    }

    /// Runs `act` on the cell that a charge was made to, if the charge can still count there.
    pub(crate) fn revisit<R>(
        &self,
        fingerprint: u64,
        now: u64,
        place: Place,
        act: impl FnOnce(&mut C, u64) -> R,
    ) -> Option<R> {
        let fingerprint = fingerprint.max(1);
        if place == Place::Shared {
            return Some(self.with_shared(fingerprint, now, |cell, now, _| act(cell, *now)));
        }
        let mut set = lock(&self.set(fingerprint).0);
        let now = set.advance(now);
        let way = set.find(fingerprint)?;
        Some(act(&mut set.cells[way], now))
    }

    /// A copy of the key's cell and the time it stands at, without claiming one.
    pub(crate) fn read(&self, fingerprint: u64, now: u64) -> (C, u64) {
        let fingerprint = fingerprint.max(1);
        let set = lock(&self.set(fingerprint).0);
        let now = now.max(set.latest);
        if let Some(way) = set.find(fingerprint) {
            return (set.cells[way], now);
        }
        if self.shared_in_use.load(Ordering::Acquire) > 0 {
            let shared = lock(self.overflow(fingerprint));
            return (shared.cell, now.max(shared.latest));
        }
        (C::default(), now)
    }

    /// Makes the key as if it had never been seen.
    pub(crate) fn forget(&self, fingerprint: u64) {
        let fingerprint = fingerprint.max(1);
        let mut set = lock(&self.set(fingerprint).0);
        if let Some(way) = set.find(fingerprint) {
            set.cells[way] = C::default();
        }
        lock(self.overflow(fingerprint)).cell = C::default();
    }

    /// Cells in debt at `now`; walks the table, one set's lock at a time.
    pub(crate) fn limited_keys(&self, now: u64) -> usize {
        let in_debt = |padded: &Padded<C>| {
            let set = lock(&padded.0);
            let used = set.fingerprints.iter().zip(&set.cells);
            used.filter(|(fingerprint, cell)| **fingerprint != 0 && !cell.is_fresh(now)).count()
        };
        self.sets.iter().map(in_debt).sum()
    }

    /// Overflow cells that count as used.
    #[cfg(all(test, obs_loom))]
    pub(super) fn shared_in_use(&self) -> u64 {
        self.shared_in_use.load(Ordering::Acquire)
    }

    #[inline]
    fn set(&self, fingerprint: u64) -> &Padded<C> {
        // The high half of the product spreads fingerprints evenly over any number of sets.
        let index = (u128::from(fingerprint) * self.sets.len() as u128) >> 64;
        &self.sets[index as usize]
    }

    fn overflow(&self, fingerprint: u64) -> &Mutex<Shared<C>> {
        &self.shared[(fingerprint % SHARED as u64) as usize]
    }

    /// Whether the key's overflow cell is in debt, which may be this key's.
    fn is_shared(&self, fingerprint: u64, now: u64) -> bool {
        if self.shared_in_use.load(Ordering::Acquire) == 0 {
            return false;
        }
        let mut shared = lock(self.overflow(fingerprint));
        let in_debt = shared.in_use && !shared.cell.is_fresh(now.max(shared.latest));
        if shared.in_use && !in_debt {
            shared.in_use = false;
            self.shared_in_use.fetch_sub(1, Ordering::AcqRel);
        }
        in_debt
    }

    #[cold]
    fn with_shared<R>(
        &self,
        fingerprint: u64,
        now: u64,
        act: impl FnOnce(&mut C, &mut u64, Place) -> R,
    ) -> R {
        let mut guard = lock(self.overflow(fingerprint));
        let shared = &mut *guard;
        shared.latest = shared.latest.max(now);
        if !shared.in_use {
            shared.in_use = true;
            self.shared_in_use.fetch_add(1, Ordering::AcqRel);
        }
        act(&mut shared.cell, &mut shared.latest, Place::Shared)
    }
}

impl<C: Slot> Set<C> {
    #[inline]
    fn advance(&mut self, now: u64) -> u64 {
        self.latest = self.latest.max(now);
        self.latest
    }

    #[inline]
    fn find(&self, fingerprint: u64) -> Option<usize> {
        self.fingerprints.iter().position(|it| *it == fingerprint)
    }

    /// An empty cell, else one whose key has no debt.
    fn vacancy(&self, now: u64) -> Option<usize> {
        let empty = self.fingerprints.iter().position(|it| *it == 0);
        empty.or_else(|| self.cells.iter().position(|cell| cell.is_fresh(now)))
    }
}

/// A poisoned lock is taken as it is: every state of a cell is valid.
#[inline]
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<C: Slot> fmt::Debug for Table<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.sets.len() * WAYS;
        f.debug_struct("Table").field("max_keys", &keys).finish_non_exhaustive()
    }
}
