use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use super::StoreFuture;

/// Where copies are kept that may be lost at any time.
///
/// A caller treats an error as a miss: a cache never decides whether a request succeeds.
pub trait Cache: Send + Sync + fmt::Debug + 'static {
    /// What was set under `key`, unless its time is over or it was pushed out.
    fn get<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<Bytes>>;

    /// Keeps `value` under `key` for `ttl` at most; replaces what was there.
    ///
    /// A `ttl` of less than a millisecond keeps nothing.
    fn set<'a>(&'a self, key: &'a str, value: Bytes, ttl: Duration) -> StoreFuture<'a, ()>;

    /// Forgets what is under `key`.
    fn remove<'a>(&'a self, key: &'a str) -> StoreFuture<'a, ()>;
}
