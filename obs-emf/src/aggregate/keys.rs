//! The keys that events have, by the values of their dimensions.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use foldhash::fast::RandomState;
use obs_core::log::with_buffer;

use super::key::Key;
use crate::cardinality::{EventBudget, OTHER, Overflow};
use crate::declare::{Members, Shape};
use crate::ledger::{Ledger, Repair};

/// The most keys unless set otherwise.
const DEFAULT_KEYS: usize = 1_000;
/// A key without events is forgotten after so many windows.
const IDLE_WINDOWS: u32 = 6;
/// Ends a value in the bytes of a key: no byte of UTF-8, so that different values never make the
/// same key.
const END: u8 = 0xff;
/// Stands for a dimension that is left out, and is no byte of UTF-8 either.
const LEFT_OUT: u8 = 0xfe;
/// The key of everything when there are too many, which is no real one: those end in [`END`] or
/// are empty.
const REST: &[u8] = b"other";

/// At most so many keys, and none against the budget.
pub(super) struct Keys {
    shape: Shape,
    /// Of the lines of keys, whose metrics are all given at run time.
    line_shape: Shape,
    pub(super) most: usize,
    pub(super) budget: Option<EventBudget>,
    /// Callers choose what dimensions hold, so the hash has a seed.
    map: RwLock<HashMap<Box<[u8]>, Arc<Key>, RandomState>>,
}

impl Keys {
    /// Of events of `shape`, without a budget.
    pub(super) fn new(shape: Shape) -> Self {
        Self {
            line_shape: shape.for_run_time_metrics(),
            shape,
            most: DEFAULT_KEYS,
            budget: None,
            map: RwLock::default(),
        }
    }

    /// Hands the key of these values to `take`; it is found without allocating.
    #[inline]
    pub(super) fn with<R>(
        &self,
        dimensions: &[&str],
        ledger: &mut Ledger,
        take: impl FnOnce(Option<&Key>, &mut Ledger) -> R,
    ) -> R {
        with_buffer(|bytes| {
            for value in dimensions {
                push_value(bytes, value);
            }
            // Used under the lock, which is shared, so that threads do not meet at its count.
            let keys = self.read();
            if let Some(key) = keys.get(bytes.as_slice()) {
                return take(Some(key), ledger);
            }
            drop(keys);
            let key = self.new_key(bytes, dimensions, ledger);
            take(key.as_deref(), ledger)
        })
    }

    /// Makes the key of these values, whose `bytes` name none yet; `None` if the budget leaves them
    /// no dimension set.
    #[cold]
    fn new_key(
        &self,
        bytes: &mut Vec<u8>,
        dimensions: &[&str],
        ledger: &mut Ledger,
    ) -> Option<Arc<Key>> {
        let Some(budget) = &self.budget else {
            return Some(self.insert(bytes, &self.line_shape, dimensions, ledger));
        };
        let over = budget.over(&self.shape, dimensions);
        if over.is_empty() {
            return Some(self.insert(bytes, &self.line_shape, dimensions, ledger));
        }
        ledger.repair(Repair::SeriesBudget);
        bytes.clear();
        if budget.overflow() == Overflow::Other {
            let others = with_others(dimensions, &over);
            others.iter().for_each(|value| push_value(bytes, value));
            return Some(self.insert(bytes, &self.line_shape, &others, ledger));
        }
        let shape = budget.variant(&self.line_shape, &over, Members::Remove)?;
        let mut kept = Vec::new();
        for (value, is_used) in dimensions.iter().zip(self.shape.used_in(&shape)) {
            if is_used {
                push_value(bytes, value);
                kept.push(*value);
            } else {
                bytes.extend([LEFT_OUT, END]);
            }
        }
        Some(self.insert(bytes, &shape, &kept, ledger))
    }

    /// The key, made if it is new and there is room for it.
    fn insert(
        &self,
        bytes: &[u8],
        shape: &Shape,
        dimensions: &[&str],
        ledger: &mut Ledger,
    ) -> Arc<Key> {
        let metrics = self.shape.metrics().len();
        let mut keys = self.map.write().unwrap_or_else(PoisonError::into_inner);
        if keys.len() < self.most || keys.contains_key(bytes) {
            let new = || Arc::new(Key::new(shape.clone(), dimensions, metrics));
            return keys.entry(bytes.into()).or_insert_with(new).clone();
        }
        ledger.repair(Repair::SeriesBudget);
        let others = vec![OTHER; self.shape.dimension_names().count()];
        let new = || Arc::new(Key::new(self.line_shape.clone(), &others, metrics));
        keys.entry(REST.into()).or_insert_with(new).clone()
    }

    /// Hands each key with events since the last time to `take`, and forgets those that have been
    /// without for too long.
    pub(super) fn drain(&self, take: impl Fn(&Key)) {
        let keys: Vec<_> = self.read().values().cloned().collect();
        let mut is_idle = false;
        for key in keys {
            if key.was_touched() {
                key.idle.store(0, Ordering::Relaxed);
                take(&key);
            } else {
                is_idle |= key.idle.fetch_add(1, Ordering::Relaxed) + 1 >= IDLE_WINDOWS;
            }
        }
        if is_idle {
            // The loop has given back its own handles to the keys.
            let mut keys = self.map.write().unwrap_or_else(PoisonError::into_inner);
            // Whoever records into a key holds it; one that only the map holds is at rest.
            keys.retain(|_, key| {
                let idle = key.idle.load(Ordering::Relaxed);
                idle < IDLE_WINDOWS || Arc::strong_count(key) > 1 || key.pending() > 0
            });
        }
    }

    pub(super) fn count(&self) -> usize {
        self.read().len()
    }

    /// What CloudWatch bills as series.
    pub(super) fn series(&self) -> u64 {
        let mut series = HashSet::new();
        self.read().values().for_each(|key| key.add_series(&mut series));
        series.len() as u64
    }

    /// Points that were gathered and not yet handed on.
    pub(super) fn pending(&self) -> u64 {
        self.read().values().map(|key| key.pending()).sum()
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<Box<[u8]>, Arc<Key>, RandomState>> {
        self.map.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[inline]
fn push_value(bytes: &mut Vec<u8>, value: &str) {
    bytes.extend_from_slice(value.as_bytes());
    bytes.push(END);
}

/// The dimensions, `__other__` at the places `over`.
pub(super) fn with_others<'d>(dimensions: &[&'d str], over: &[usize]) -> Vec<&'d str> {
    let other = |(place, &value)| if over.contains(&place) { OTHER } else { value };
    dimensions.iter().enumerate().map(other).collect()
}
