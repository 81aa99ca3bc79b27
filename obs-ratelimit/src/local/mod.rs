//! Deciding in this process: the algorithms, one cell per key, and the table that holds them.

mod bucket;
#[cfg(feature = "governor")]
mod governed;
mod in_flight;
#[cfg(test)]
#[cfg(obs_loom)]
mod model;
mod sync;
mod table;
#[cfg(test)]
#[cfg(not(obs_loom))]
mod tests;
mod time;
mod window;

use std::fmt;

pub(crate) use bucket::BucketCell;
#[cfg(feature = "governor")]
pub(crate) use governed::GovernedCell;
pub(crate) use in_flight::InFlightCell;
pub(crate) use table::{Place, Table};
pub(crate) use time::{Grain, TICK, TimeBase, Timer};
pub(crate) use window::WindowCell;

/// What a [`Table`] holds for a key.
///
/// Its default is the state of a key that was never seen, and one that
/// [is fresh](Self::is_fresh) behaves like the default: that is what makes it safe to reuse its
/// place for another key.
pub(crate) trait Slot: Copy + Default + Send + fmt::Debug + 'static {
    /// Whether it cannot be told from one that was never used.
    fn is_fresh(&self, now: u64) -> bool;
}

/// The state of one key under one algorithm.
///
/// A cell is plain data behind a lock. `now` never decreases for one cell.
pub(crate) trait Cell: Slot {
    type Plan: Copy + Send + Sync + fmt::Debug + 'static;

    /// Charges `cost`, or charges nothing and says how long to wait.
    fn spend(&mut self, plan: &Self::Plan, now: u64, cost: u64) -> Result<Charged, Wait>;

    /// Charges `cost` without asking, for what was used before it was known.
    fn debit(&mut self, plan: &Self::Plan, now: u64, cost: u64);

    /// Takes a charge back, as far as it still counts.
    fn refund(&mut self, now: u64, charged: Charged);

    /// Gives back up to `tokens` of what was used.
    fn grant(&mut self, plan: &Self::Plan, now: u64, tokens: u64);

    /// What one caller could use now.
    fn standing(&self, plan: &Self::Plan, now: u64) -> Standing;
}

/// What a charge did, so that it can be taken back: how much, and when it stops to count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Charged {
    pub(crate) amount: u64,
    pub(crate) stamp: u64,
}

/// How long a refused charge has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Nanoseconds after which the same charge passes if nothing else is charged.
    Nanos(u64),
    /// The time is not known: a place must become free.
    Unknown,
    /// The charge is larger than the limit can ever admit.
    Never,
}

/// The state of a key as its caller may see it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// What can be used now.
    pub(crate) remaining: u64,
    /// Nanoseconds until there is more; 0 when there is all.
    pub(crate) more_in: u64,
}
