//! Buckets in Redis, on one server or in a cluster.

mod connection;
#[cfg(test)]
mod tests;
mod unit;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use obs_core::config::ConfigError;
use redis::{RedisError, Script};

use super::{GiveBack, Grant, Store, StoreError, StoreErrorKind, StoreFuture, StoreKey, Take};
use connection::Connection;
use unit::Unit;

/// Buckets in Redis.
///
/// One hash for each key, one Lua script for each take: the script reads the server's own clock,
/// so the nodes' clocks do not matter, and every key stands in one cluster slot. A bucket expires
/// when it is full again. Numbers in Lua are exact below 2^53: the time unit is chosen so that no
/// product passes that; a quota for which none is found is refused as
/// [`Rejected`](StoreErrorKind::Rejected).
///
/// After a failover a replica may lack the last grants: the fleet then gets at most what was
/// granted in the lag again, and one full bucket if the key was lost.
///
/// ```no_run
/// use obs_ratelimit::RedisStore;
///
/// # fn example() -> Result<(), obs_core::config::ConfigError> {
/// let single = RedisStore::single("redis://cache.internal:6379")?;
/// let cluster = RedisStore::cluster(&["redis://a.internal:6379", "redis://b.internal:6379"])?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisStore {
    connection: Arc<Connection>,
    scripts: Arc<Scripts>,
    prefix: Arc<str>,
}

struct Scripts {
    take: Script,
    give_back: Script,
}

impl RedisStore {
    /// A store on one server. It connects when it is first used, and again when the connection is
    /// lost.
    ///
    /// # Errors
    /// [`ConfigError`] if `url` is no Redis URL.
    pub fn single(url: &str) -> Result<Self, ConfigError> {
        Connection::single(url).map(Self::on)
    }

    /// A store on a cluster, of which at least one node is named.
    ///
    /// # Errors
    /// [`ConfigError`] if one of `urls` is no Redis URL or there is none.
    pub fn cluster(urls: &[&str]) -> Result<Self, ConfigError> {
        Connection::cluster(urls).map(Self::on)
    }

    fn on(connection: Connection) -> Self {
        let scripts = Scripts {
            take: Script::new(include_str!("take.lua")),
            give_back: Script::new(include_str!("give_back.lua")),
        };
        Self { connection: Arc::new(connection), scripts: Arc::new(scripts), prefix: "rl".into() }
    }

    /// The first part of every key. Default `rl`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<Arc<str>>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The braces are a hash tag: whatever the prefix, the key's own bits choose the slot.
    fn key(&self, key: StoreKey) -> String {
        format!("{}:{{{key}}}", self.prefix)
    }

    async fn take_tokens(self, take: Take) -> Result<Grant, StoreError> {
        let plan = take.bucket.plan;
        let unit = Unit::of(&plan).ok_or(StoreError::new(StoreErrorKind::Rejected))?;
        let mut call = self.scripts.take.prepare_invoke();
        let want = take.want.min(plan.burst);
        call.key(self.key(take.key)).arg(plan.limit).arg(unit.period).arg(plan.burst);
        call.arg(want).arg(take.least.max(1)).arg(take.debit).arg(unit.micros);
        let answer: Vec<i64> = self.connection.invoke(&call).await.map_err(read_error)?;
        read_grant(&answer, take.want, unit)
    }

    async fn give_tokens_back(self, back: GiveBack) -> Result<(), StoreError> {
        let plan = back.bucket.plan;
        let unit = Unit::of(&plan).ok_or(StoreError::new(StoreErrorKind::Rejected))?;
        let mut call = self.scripts.give_back.prepare_invoke();
        call.key(self.key(back.key)).arg(plan.limit).arg(unit.period);
        call.arg(back.tokens.min(plan.burst));
        self.connection.invoke::<i64>(&call).await.map(drop).map_err(read_error)
    }
}

/// An answer that the script cannot have given is an error, not a grant.
fn read_grant(answer: &[i64], want: u64, unit: Unit) -> Result<Grant, StoreError> {
    let garbled = || StoreError::new(StoreErrorKind::Garbled);
    let numbers: Vec<u64> = answer
        .iter()
        .map(|it| u64::try_from(*it))
        .collect::<Result<_, _>>()
        .map_err(|_| garbled())?;
    let [tokens, remaining, wait, grants] = numbers[..] else { return Err(garbled()) };
    if tokens > want {
        return Err(garbled());
    }
    let wait = Duration::from_micros(wait.saturating_mul(unit.micros));
    Ok(Grant { tokens, remaining, wait, grants })
}

fn read_error(error: RedisError) -> StoreError {
    let kind = if error.is_timeout() {
        StoreErrorKind::Timeout
    } else if error.is_io_error() || error.is_connection_dropped() || error.is_cluster_error() {
        StoreErrorKind::Unavailable
    } else {
        match error.kind() {
            redis::ErrorKind::Parse | redis::ErrorKind::UnexpectedReturnType => {
                StoreErrorKind::Garbled
            }
            redis::ErrorKind::ClusterConnectionNotFound => StoreErrorKind::Unavailable,
            _ => StoreErrorKind::Rejected,
        }
    };
    StoreError::because(kind, error)
}

impl Store for RedisStore {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn take(&self, take: Take) -> StoreFuture<Grant> {
        Box::pin(self.clone().take_tokens(take))
    }

    fn give_back(&self, back: GiveBack) -> StoreFuture<()> {
        Box::pin(self.clone().give_tokens_back(back))
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
