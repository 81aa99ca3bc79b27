//! Where a fleet keeps its counts.
//!
//! A [`Store`] holds one count for each key and takes tokens out of it, atomically. What is built
//! on it, leases and strict limits, is the same for all stores.

#[cfg(feature = "dynamodb")]
mod dynamodb;
mod error;
mod memory;
#[cfg(feature = "redis")]
mod redis;
mod types;

use std::fmt;
use std::future::Future;
use std::pin::Pin;

#[cfg(feature = "dynamodb")]
pub use self::dynamodb::DynamoDbStore;
#[cfg(feature = "redis")]
pub use self::redis::RedisStore;
pub use error::{StoreError, StoreErrorKind};
pub use memory::MemoryStore;
pub use types::{GiveBack, Grant, Hold, Shape, SharedQuota, StoreKey, Take};

/// The future of a store's answer.
pub type StoreFuture<T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send>>;

/// Counts that a fleet shares.
///
/// ```
/// use obs_core::clock::Clock;
/// use obs_ratelimit::{MemoryStore, Quota, SharedQuota, Store, StoreKey, Take};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryStore::new(Clock::system(), 100);
/// assert_eq!(store.name(), "memory");
///
/// let (key, quota) = (StoreKey::new(7), SharedQuota::new(Quota::per_minute(10))?);
/// let grant = store.take(Take::new(key, quota, 4)).await?;
/// assert_eq!((grant.tokens, grant.remaining), (4, 6));
/// store.reset(key).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Contract
///
/// - **Atomic.** Takes of the same key by any number of callers are as if made one after another;
///   no two of them get the same token. Over any span `W` a bucket gives at most
///   `burst + rate * W`, where the store's own error of time, if it has one, adds to `W`; a
///   window gives at most its limit.
/// - **Partial.** A take gets as many whole tokens as there are, at most `want`; with fewer than
///   `least` it gets none and charges none.
/// - **An unknown key is unused.** An error never is: it leaves the count as it was, or
///   charged if the answer was lost, and never refilled.
/// - **Returned once.** `give_back` is applied at most once for each call, and never retried.
///   Losing it is safe.
/// - **Forgetting.** A count may be forgotten when nothing of it counts any more, not before.
/// - **Places.** All holders of a key together hold at most its limit, but for what they
///   [keep](Hold::keep) after their time was over.
///
/// Implementations neither retry nor wait: time-outs, the circuit and the fallback are the
/// caller's. A future that is dropped may or may not have been applied.
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// A short name for metrics and snapshots: `memory`, `redis`, `dynamodb`.
    fn name(&self) -> &'static str;

    /// Takes tokens.
    fn take(&self, take: Take) -> StoreFuture<Grant>;

    /// Puts tokens back that were taken and not used.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use obs_core::clock::Clock;
    /// use obs_ratelimit::{GiveBack, Hold, MemoryStore, Quota, SharedQuota, Store, StoreKey, Take};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let store = MemoryStore::new(Clock::system(), 100);
    /// let (key, quota) = (StoreKey::new(7), SharedQuota::new(Quota::per_hour(10))?);
    /// let grant = store.take(Take::new(key, quota, 10)).await?;
    /// store.give_back(GiveBack { key, quota, tokens: 10, window: grant.window }).await?;
    ///
    /// let places = Hold {
    ///     key: StoreKey::new(8),
    ///     limit: 5,
    ///     holder: 1,
    ///     turn: 1,
    ///     keep: 0,
    ///     want: 5,
    ///     least: 1,
    ///     valid_for: Duration::from_secs(10),
    /// };
    /// assert_eq!(store.hold(places).await?.tokens, 5);
    /// # Ok(())
    /// # }
    /// ```
    fn give_back(&self, back: GiveBack) -> StoreFuture<()>;

    /// Holds places, or lets them go.
    fn hold(&self, hold: Hold) -> StoreFuture<Grant>;

    /// Makes a key as if it had never been used.
    fn reset(&self, key: StoreKey) -> StoreFuture<()>;
}
