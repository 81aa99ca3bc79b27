use std::fmt;
use std::time::Duration;

use obs_core::config::ConfigError;

use crate::quota::{CalendarUnit, Quota, SharedPlan, WindowSpan};

/// The name of a count in a store: 128 bits, from which the key cannot be read.
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

/// A quota that is counted in a store.
///
/// It travels with each call, so a store needs no configuration, and another quota takes effect
/// with the next call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedQuota {
    pub(crate) plan: SharedPlan,
}

/// How a [`SharedQuota`] is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// A bucket of `burst` tokens that refills at `limit` per `period`.
    Bucket {
        /// Tokens that refill per period.
        limit: u64,
        /// The period.
        period: Duration,
        /// The most tokens it holds.
        burst: u64,
    },
    /// `limit` tokens in each window of `period`, aligned to the Unix epoch.
    FixedWindow {
        /// Tokens per window.
        limit: u64,
        /// The length of a window.
        period: Duration,
    },
    /// As a fixed window, less what the window before still weighs: its count in proportion to the
    /// time left of this one, rounded up.
    SlidingWindow {
        /// Tokens per window.
        limit: u64,
        /// The length of a window.
        period: Duration,
    },
    /// `limit` tokens in each calendar day or month, in UTC.
    Calendar {
        /// Tokens per unit.
        limit: u64,
        /// The unit.
        unit: CalendarUnit,
    },
}

impl SharedQuota {
    /// The counted form of `quota`: a rate, a window or a calendar unit.
    ///
    /// # Errors
    /// [`ConfigError`] if the quota cannot be used or is one of concurrency, whose places are
    /// [held](Hold) and not taken.
    pub fn new(quota: Quota) -> Result<Self, ConfigError> {
        SharedPlan::new(quota).map(|plan| Self { plan })
    }

    /// How it is counted.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        match self.plan {
            SharedPlan::Bucket(plan) => Shape::Bucket {
                limit: plan.limit,
                period: Duration::from_nanos(plan.period),
                burst: plan.burst,
            },
            SharedPlan::Window(plan) => {
                let limit = plan.limit;
                match plan.span {
                    WindowSpan::Fixed(period) => {
                        Shape::FixedWindow { limit, period: Duration::from_nanos(period) }
                    }
                    WindowSpan::Sliding(period) => {
                        Shape::SlidingWindow { limit, period: Duration::from_nanos(period) }
                    }
                    WindowSpan::Calendar(unit) => Shape::Calendar { limit, unit },
                }
            }
        }
    }

    /// The most tokens that can be taken at once.
    #[must_use]
    pub const fn capacity(&self) -> u64 {
        self.plan.capacity()
    }
}

/// A call to take tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Take {
    /// Whose count.
    pub key: StoreKey,
    /// The quota.
    pub quota: SharedQuota,
    /// The most tokens wanted. With 0 the call only charges its debit and says what is left.
    pub want: u64,
    /// The fewest that are of use; at least 1, at most `want`.
    pub least: u64,
    /// Tokens used before without asking; charged first, whether there are as many or not, up to
    /// one more capacity of debt.
    pub debit: u64,
}

impl Take {
    /// A take of up to `want` tokens.
    #[must_use]
    pub const fn new(key: StoreKey, quota: SharedQuota, want: u64) -> Self {
        Self { key, quota, want, least: 1, debit: 0 }
    }
}

/// What a call got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Tokens taken, or places added; 0 if there were fewer than `least`.
    pub tokens: u64,
    /// What is left for others.
    pub remaining: u64,
    /// The time until `least` tokens are there, if none were taken. Zero where it is not known,
    /// as for places.
    pub wait: Duration,
    /// How many takes of this key got tokens, ever; it may wrap or start anew. Its growth tells
    /// how many nodes share the key.
    pub grants: u64,
    /// The window that the tokens are of, as the nanoseconds since the Unix epoch at which it
    /// began; 0 for a bucket.
    pub window: u64,
    /// The time left of that window, after which the tokens are worth nothing;
    /// [`Duration::MAX`] for a bucket.
    pub valid_for: Duration,
}

/// A call to put tokens back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GiveBack {
    /// Whose count.
    pub key: StoreKey,
    /// The quota.
    pub quota: SharedQuota,
    /// Tokens to put back.
    pub tokens: u64,
    /// The window that they are of; tokens of a window that is over are not put back.
    pub window: u64,
}

/// A call to hold places of a limit on what runs at the same time.
///
/// A store keeps, for each key, what every holder holds and until when. The call replaces what its
/// holder held by `keep` places and as many more as are free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Whose places.
    pub key: StoreKey,
    /// How many there are.
    pub limit: u64,
    /// Who holds: a node's own random number.
    pub holder: u64,
    /// The number of the call among those of this holder. A call that is overtaken by a later one
    /// changes nothing.
    pub turn: u64,
    /// Places held before that stay held, whether there are as many or not.
    pub keep: u64,
    /// The most places wanted beyond those.
    pub want: u64,
    /// The fewest of them that are of use.
    pub least: u64,
    /// For how long the places are held unless the call is made again: those of a node that died
    /// are free after that.
    pub valid_for: Duration,
}
