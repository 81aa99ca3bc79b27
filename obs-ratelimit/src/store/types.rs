use std::fmt;
use std::time::Duration;

use obs_core::config::ConfigError;

use crate::quota::{CalendarUnit, Quota, SharedPlan, WindowSpan};

/// The name of a count in a store: 128 bits, from which the key cannot be read.
///
/// ```
/// use obs_ratelimit::StoreKey;
///
/// assert_eq!(StoreKey::new(7).bits(), 7);
/// assert_eq!(StoreKey::new(7).to_string().len(), 32);
/// ```
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
///
/// ```
/// use obs_ratelimit::{Quota, SharedQuota};
///
/// let quota = SharedQuota::new(Quota::per_second(100).burst(200))?;
/// assert_eq!(quota.capacity(), 200);
/// // Places are held, not counted.
/// assert!(SharedQuota::new(Quota::concurrency(5)).is_err());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedQuota {
    pub(crate) plan: SharedPlan,
}

/// How a [`SharedQuota`] is counted.
///
/// ```
/// use std::time::Duration;
///
/// use obs_ratelimit::{Quota, SharedQuota, Shape};
///
/// let quota = SharedQuota::new(Quota::fixed_window(100, Duration::from_secs(60)))?;
/// assert!(matches!(quota.shape(), Shape::FixedWindow { limit: 100, .. }));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
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
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use obs_ratelimit::{Quota, Shape, SharedQuota};
    ///
    /// let second = Duration::from_secs(1);
    /// let quota = SharedQuota::new(Quota::per_second(100).burst(200))?;
    /// assert_eq!(quota.shape(), Shape::Bucket { limit: 100, period: second, burst: 200 });
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
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
///
/// ```
/// use obs_ratelimit::{Quota, SharedQuota, StoreKey, Take};
///
/// let quota = SharedQuota::new(Quota::per_second(100))?;
/// let mut take = Take::new(StoreKey::new(7), quota, 20);
/// // Half a lease is of use, too; less is not worth the call.
/// take.least = 10;
/// assert_eq!((take.want, take.debit), (20, 0));
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
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
///
/// ```
/// use obs_core::clock::Clock;
/// use obs_ratelimit::{MemoryStore, Quota, SharedQuota, Store, StoreKey, Take};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::new(Clock::system(), 100);
/// let quota = SharedQuota::new(Quota::per_minute(10))?;
/// let grant = store.take(Take::new(StoreKey::new(7), quota, 10)).await?;
/// assert_eq!((grant.tokens, grant.remaining), (10, 0));
/// let refused = store.take(Take::new(StoreKey::new(7), quota, 1)).await?;
/// assert_eq!(refused.tokens, 0);
/// assert!(!refused.wait.is_zero());
/// # Ok(())
/// # }
/// ```
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
///
/// ```
/// use obs_core::clock::Clock;
/// use obs_ratelimit::{GiveBack, MemoryStore, Quota, SharedQuota, Store, StoreKey, Take};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::new(Clock::system(), 100);
/// let (key, quota) = (StoreKey::new(7), SharedQuota::new(Quota::per_hour(10))?);
/// let grant = store.take(Take::new(key, quota, 10)).await?;
/// store.give_back(GiveBack { key, quota, tokens: 4, window: grant.window }).await?;
/// assert_eq!(store.take(Take::new(key, quota, 1)).await?.remaining, 3);
/// # Ok(())
/// # }
/// ```
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
///
/// ```
/// use std::time::Duration;
///
/// use obs_core::clock::Clock;
/// use obs_ratelimit::{Hold, MemoryStore, Store, StoreKey};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::new(Clock::system(), 100);
/// let hold = Hold {
///     key: StoreKey::new(7),
///     limit: 5,
///     holder: 1,
///     turn: 1,
///     keep: 0,
///     want: 3,
///     least: 1,
///     valid_for: Duration::from_secs(10),
/// };
/// assert_eq!(store.hold(hold).await?.tokens, 3);
/// # Ok(())
/// # }
/// ```
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
