use super::{Sample, Totals};
use crate::circuit::sync::{AtomicU8, AtomicU64, Ordering};

/// A ring of the newest calls and its sum, both changed by single atomic operations.
///
/// Writers that meet in one slot stay exact: each adds to the sum the difference between what it
/// put into the slot and what it took out.
#[derive(Debug)]
pub(crate) struct CountWindow {
    slots: Box<[AtomicU8]>,
    cursor: AtomicU64,
    /// `calls << 42 | failures << 21 | slow`; 20 bits each are used.
    sum: AtomicU64,
}

const CALLS_SHIFT: u32 = 42;
const FAILURES_SHIFT: u32 = 21;
const FIELD: u64 = (1 << 21) - 1;

const EMPTY: u8 = 0;
const CALL: u8 = 1;
const FAILED: u8 = 2;
const SLOW: u8 = 4;

const fn weight(slot: u8) -> u64 {
    (((slot & CALL != 0) as u64) << CALLS_SHIFT)
        | (((slot & FAILED != 0) as u64) << FAILURES_SHIFT)
        | (slot & SLOW != 0) as u64
}

const fn unpack(sum: u64) -> Totals {
    Totals {
        calls: (sum >> CALLS_SHIFT) as u32,
        failures: ((sum >> FAILURES_SHIFT) & FIELD) as u32,
        slow: (sum & FIELD) as u32,
    }
}

impl CountWindow {
    pub(super) fn new(size: u32) -> Self {
        let slots = (0..size.max(1)).map(|_| AtomicU8::new(EMPTY)).collect();
        Self { slots, cursor: AtomicU64::new(0), sum: AtomicU64::new(0) }
    }

    pub(super) fn record(&self, sample: Sample) {
        let slot =
            CALL | if sample.failed { FAILED } else { 0 } | if sample.slow { SLOW } else { 0 };
        // Relaxed throughout: no other memory is published through these counters.
        let turn = self.cursor.fetch_add(1, Ordering::Relaxed);
        let index = (turn % self.slots.len() as u64) as usize;
        let old = self.slots[index].swap(slot, Ordering::Relaxed);
        if old != slot {
            self.sum.fetch_add(weight(slot).wrapping_sub(weight(old)), Ordering::Relaxed);
        }
    }

    pub(super) fn totals(&self) -> Totals {
        unpack(self.sum.load(Ordering::Relaxed))
    }

    pub(super) fn clear(&self) {
        for slot in &self.slots {
            let old = slot.swap(EMPTY, Ordering::Relaxed);
            self.sum.fetch_sub(weight(old), Ordering::Relaxed);
        }
    }
}
