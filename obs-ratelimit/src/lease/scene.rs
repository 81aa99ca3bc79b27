//! What a key's cell is given to decide by, and what it may ask for.

use obs_core::random::Random;

use super::LeaseConfig;
use super::bound::silent_plan;
use crate::quota::{BucketPlan, SharedPlan};

/// What a cell decides by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) config: &'a LeaseConfig,
    pub(crate) plan: &'a SharedPlan,
    /// The policy's own quota, with what of it a node may use without telling.
    pub(crate) usual: &'a (SharedPlan, Option<BucketPlan>),
    pub(crate) now: u64,
    /// How long the store takes to answer.
    pub(crate) round_trip: u64,
    pub(crate) random: &'a Random,
    /// Grows when other quotas are put in place.
    pub(crate) generation: u32,
}

impl Scene<'_> {
    /// What a node may use of the quota without telling.
    pub(super) fn silent(&self) -> Option<BucketPlan> {
        if *self.plan == self.usual.0 { self.usual.1 } else { silent_plan(self.plan, self.config) }
    }
}

/// A call that a cell wants to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) want: u64,
    pub(crate) least: u64,
    pub(crate) debit: u64,
}
