//! Leasing: a node takes tokens, or places, from a store ahead of need and decides by itself while
//! they last.
//!
//! Nothing here waits or knows a runtime: a cell is asked and answers, and a plane is the cells of
//! one policy. Calls to the store are wanted here and made elsewhere, so that the simulator makes
//! them in virtual time.

mod bound;
mod cell;
mod config;
mod demand;
mod fleet;
mod gate;
mod place_cell;
mod places;
mod plane;
mod scene;
mod step;

use std::fmt;
use std::time::Duration;

pub use bound::Bound;
pub use config::{LeaseConfig, OnStoreFailure};
pub(crate) use gate::{Counts, Gate};
pub(crate) use places::PlacePlane;
pub(crate) use plane::TokenPlane;
pub(crate) use step::{Chore, Fallback, NameOf, Step};

use crate::local::{Place, Standing};
use crate::store::{Grant, Store, StoreError, StoreFuture};

/// The time, cheaply and exactly.
#[derive(Clone, Copy)]
pub(crate) struct Time<'a> {
    /// Late by at most [`TICK`](crate::local::TICK), and never early.
    pub(crate) tick: u64,
    /// Reads it exactly.
    pub(crate) exact: &'a dyn Fn() -> u64,
}

/// The leases of one policy on one node.
pub(crate) trait Plane: fmt::Debug + Send + Sync + 'static {
    type Plan: Copy + fmt::Debug + Send + Sync + 'static;
    /// A call that must be made, and whose result the plane must be told.
    type Ask: fmt::Debug + Send + 'static;

    fn gate(&self) -> &Gate;

    /// Decides about a request now; a returned ask must be made. `name` is only asked for when the
    /// store is.
    fn spend(
        &self,
        fingerprint: u64,
        name: NameOf<'_>,
        plan: &Self::Plan,
        cost: u64,
        time: Time<'_>,
    ) -> (Step, Option<Self::Ask>);

    /// Decides about a request that has waited since `since`, as long as it may: without the store
    /// if that has not answered, and else, where the limit is promised exactly, by refusing it, for
    /// others were faster.
    fn give_up(&self, fingerprint: u64, plan: &Self::Plan, cost: u64, since: u64, now: u64)
    -> Step;

    /// The key that a call is for.
    fn fingerprint(ask: &Self::Ask) -> u64;

    /// Makes a call.
    fn send(&self, ask: &Self::Ask, store: &dyn Store) -> StoreFuture<Grant>;

    /// Tells the result of a call; whoever waits for the key should ask again.
    fn complete(&self, ask: Self::Ask, result: &Result<Grant, StoreError>, now: u64);

    /// What is to be done now for the leases there are; all are given up if `all`.
    fn chores(&self, now: u64, all: bool) -> Vec<Chore<Self::Ask>>;

    /// Whether there are leases to look after.
    fn has_leases(&self) -> bool;

    /// How often to look after them.
    fn pause(&self) -> Duration;

    /// Takes a charge back.
    fn refund(&self, fingerprint: u64, place: Place, stamp: u64, cost: u64, now: u64);

    /// Charges what was used without asking as far as leases cover it; returns the rest.
    fn debit(&self, fingerprint: u64, cost: u64, now: u64) -> u64;

    /// What could not be told to the store is told with the next lease.
    fn owe(&self, fingerprint: u64, cost: u64, now: u64);

    fn standing(&self, fingerprint: u64, plan: &Self::Plan, now: u64) -> Standing;

    /// Makes the key as if it had never been seen on this node.
    fn forget(&self, fingerprint: u64);

    /// The store may have more for this key than it said.
    fn wake(&self, fingerprint: u64, now: u64);

    /// Other quotas are in place.
    fn replaced(&self) {}

    /// Keys with a cell in use, keys that shared one, and bytes of memory.
    fn table(&self, now: u64) -> (usize, u64, usize);
}
