//! Counts in Redis, on one server or in a cluster.

mod answer;
mod connection;
#[cfg(test)]
mod tests;
mod unit;

use std::fmt;
use std::sync::Arc;

use obs_core::config::ConfigError;
use redis::Script;

use super::{
    GiveBack, Grant, Hold, Store, StoreError, StoreErrorKind, StoreFuture, StoreKey, Take,
};
use crate::quota::{CalendarUnit, SharedPlan, WindowSpan};
use answer::{read_error, read_grant};
use connection::Connection;
use unit::Unit;

/// Counts in Redis.
///
/// One hash for each key, one Lua script for each call: the script reads the server's own clock,
/// so the nodes' clocks do not matter, and every key stands in one cluster slot. A bucket expires
/// when it is full again, a window when it weighs nothing any more, places with the last of their
/// holders. Numbers in Lua are exact below 2^53: the time unit is chosen so that no
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
    window: Script,
    window_back: Script,
    hold: Script,
    reset: Script,
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
            window: Script::new(include_str!("window.lua")),
            window_back: Script::new(include_str!("window_back.lua")),
            hold: Script::new(include_str!("hold.lua")),
            reset: Script::new("return redis.call('DEL', unpack(KEYS))"),
        };
        Self { connection: Arc::new(connection), scripts: Arc::new(scripts), prefix: "rl".into() }
    }

    /// The first part of every key. Default `rl`.
    ///
    /// ```
    /// use obs_ratelimit::RedisStore;
    ///
    /// // Where several fleets share one Redis.
    /// let store = RedisStore::single("redis://127.0.0.1:6379")?.prefix("shop:");
    /// # let _ = store;
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<Arc<str>>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The braces are a hash tag: whatever the prefix and the kind, the key's own bits choose the
    /// slot.
    fn key(&self, key: StoreKey, kind: &str) -> String {
        format!("{}:{{{key}}}{kind}", self.prefix)
    }

    async fn take_tokens(self, take: Take) -> Result<Grant, StoreError> {
        let want = take.want.min(take.quota.capacity());
        let (unit, mut call) = match take.quota.plan {
            SharedPlan::Bucket(plan) => {
                let unit = Unit::of_bucket(&plan).ok_or(TOO_LARGE)?;
                let mut call = self.scripts.take.prepare_invoke();
                call.key(self.key(take.key, BUCKET));
                call.arg(plan.limit).arg(unit.period).arg(plan.burst);
                (unit, call)
            }
            SharedPlan::Window(plan) => {
                let unit = Unit::of_window(&plan).ok_or(TOO_LARGE)?;
                let mut call = self.scripts.window.prepare_invoke();
                call.key(self.key(take.key, WINDOW));
                call.arg(plan.limit).arg(kind_of(plan.span)).arg(unit.period);
                (unit, call)
            }
        };
        call.arg(want).arg(take.least.max(1)).arg(take.debit).arg(unit.micros);
        let answer: Vec<i64> = self.connection.invoke(&call).await.map_err(read_error)?;
        read_grant(&answer, take.want, unit)
    }

    async fn give_tokens_back(self, back: GiveBack) -> Result<(), StoreError> {
        let tokens = back.tokens.min(back.quota.capacity());
        let call = match back.quota.plan {
            SharedPlan::Bucket(plan) => {
                let unit = Unit::of_bucket(&plan).ok_or(TOO_LARGE)?;
                let mut call = self.scripts.give_back.prepare_invoke();
                call.key(self.key(back.key, BUCKET));
                call.arg(plan.limit).arg(unit.period).arg(tokens);
                call
            }
            SharedPlan::Window(plan) => {
                let unit = Unit::of_window(&plan).ok_or(TOO_LARGE)?;
                let mut call = self.scripts.window_back.prepare_invoke();
                call.key(self.key(back.key, WINDOW));
                call.arg(tokens).arg(back.window / (unit.micros * 1_000));
                call
            }
        };
        self.connection.invoke::<i64>(&call).await.map(drop).map_err(read_error)
    }

    async fn hold_places(self, hold: Hold) -> Result<Grant, StoreError> {
        let millis = u64::try_from(hold.valid_for.as_millis()).unwrap_or(u64::MAX).max(1);
        let numbers = [hold.turn, hold.limit, hold.keep, hold.want, hold.least, millis];
        if numbers.iter().any(|it| *it >= 1 << 51) {
            return Err(TOO_LARGE);
        }
        let mut call = self.scripts.hold.prepare_invoke();
        call.key(self.key(hold.key, PLACES)).arg(format!("{:016x}", hold.holder));
        for number in numbers {
            call.arg(number);
        }
        let answer: Vec<i64> = self.connection.invoke(&call).await.map_err(read_error)?;
        let unit = Unit { micros: 1, period: 1 };
        let grant = read_grant(&answer, hold.want, unit)?;
        Ok(Grant { valid_for: hold.valid_for, ..grant })
    }

    async fn forget(self, key: StoreKey) -> Result<(), StoreError> {
        let mut call = self.scripts.reset.prepare_invoke();
        for kind in [BUCKET, WINDOW, PLACES] {
            call.key(self.key(key, kind));
        }
        self.connection.invoke::<i64>(&call).await.map(drop).map_err(read_error)
    }
}

/// What follows the name of a key, so that a policy of another kind under the same name finds its
/// own count.
const BUCKET: &str = "";
const WINDOW: &str = ":w";
const PLACES: &str = ":p";

/// Numbers that a script could not compute with.
const TOO_LARGE: StoreError = StoreError::new(StoreErrorKind::Rejected);

const fn kind_of(span: WindowSpan) -> &'static str {
    match span {
        WindowSpan::Fixed(_) | WindowSpan::Calendar(CalendarUnit::Day) => "fixed",
        WindowSpan::Sliding(_) => "sliding",
        WindowSpan::Calendar(CalendarUnit::Month) => "month",
    }
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

    fn hold(&self, hold: Hold) -> StoreFuture<Grant> {
        Box::pin(self.clone().hold_places(hold))
    }

    fn reset(&self, key: StoreKey) -> StoreFuture<()> {
        Box::pin(self.clone().forget(key))
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
