use std::fmt;
use std::time::Duration;

use obs_core::config::ConfigError;

use crate::quota::{BucketPlan, Plan, Quota};

/// The name of a bucket in a store: 128 bits, from which the key cannot be read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StoreKey(u128);

impl StoreKey {
    /// The key of these bits.
    #[must_use]
    pub const fn new(bits: u128) -> Self {
        Self(bits)
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u128 {
        self.0
    }
}

impl fmt::Display for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreKey({self})")
    }
}

/// The quota of a shared bucket: `burst` tokens that refill at `limit` per `period`.
///
/// It travels with each call, so a store needs no configuration, and another quota takes effect
/// with the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedBucket {
    pub(crate) plan: BucketPlan,
}

impl SharedBucket {
    /// The bucket of `quota`, which must be a rate.
    ///
    /// # Errors
    /// [`ConfigError`] if the quota cannot be used or counts per window or at once.
    pub fn new(quota: Quota) -> Result<Self, ConfigError> {
        match quota.plan()? {
            Plan::Bucket(plan) => Ok(Self { plan }),
            _ => {
                let rule = "must be a rate to be kept in a store";
                Err(ConfigError::new("quota", format_args!("{quota:?}"), rule))
            }
        }
    }

    /// Tokens that refill per period.
    #[must_use]
    pub const fn limit(&self) -> u64 {
        self.plan.limit
    }

    /// The period.
    #[must_use]
    pub const fn period(&self) -> Duration {
        Duration::from_nanos(self.plan.period)
    }

    /// The most tokens it holds.
    #[must_use]
    pub const fn burst(&self) -> u64 {
        self.plan.burst
    }
}

/// A call to take tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Take {
    /// The bucket.
    pub key: StoreKey,
    /// Its quota.
    pub bucket: SharedBucket,
    /// The most tokens wanted; at least 1.
    pub want: u64,
    /// The fewest that are of use; at least 1, at most `want`.
    pub least: u64,
    /// Tokens used before without asking; charged first, whether there are as many or not, up to
    /// one more bucket of debt.
    pub debit: u64,
}

impl Take {
    /// A take of up to `want` tokens.
    #[must_use]
    pub const fn new(key: StoreKey, bucket: SharedBucket, want: u64) -> Self {
        Self { key, bucket, want, least: 1, debit: 0 }
    }
}

/// What a take got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    /// Tokens taken; 0 if there were fewer than `least`.
    pub tokens: u64,
    /// Tokens left in the bucket.
    pub remaining: u64,
    /// The time until `least` tokens are there, if none were taken.
    pub wait: Duration,
    /// How many takes of this bucket got tokens, ever; it may wrap or start anew. Its growth tells
    /// how many nodes share the bucket.
    pub grants: u64,
}

/// A call to put tokens back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GiveBack {
    /// The bucket.
    pub key: StoreKey,
    /// Its quota.
    pub bucket: SharedBucket,
    /// Tokens to put back.
    pub tokens: u64,
}
