use std::time::Duration;

use bytes::Bytes;
use obs_core::circuit::{CircuitBreaker, CircuitBreakerConfig, OpenWait, SlidingWindow};
use obs_core::config::ConfigError;
use obs_core::control::Registry;
use obs_core::metric::Recorder;
use obs_core::outcome::Outcome;
use redis::FromRedisValue;
use shop_domain::port::{Cache, StoreError, StoreErrorKind, StoreFuture};

use super::RedisPool;

/// How long a cache may keep a request waiting: far less than what it copies takes.
const LIMIT: Duration = Duration::from_millis(100);

/// Copies on a Redis, shared by all who use it; cheap to clone.
///
/// An operation takes 100 ms at most. After 5 failures in a row the cache is left alone for a
/// second, so that its failure costs requests nothing.
#[derive(Clone, Debug)]
pub struct RedisCache {
    pool: RedisPool,
    breaker: CircuitBreaker,
}

impl RedisCache {
    /// A cache on the server at `url`.
    ///
    /// # Errors
    /// [`ConfigError`] when the URL cannot be read.
    pub fn new(
        url: &str,
        controls: &Registry,
        recorder: &dyn Recorder,
    ) -> Result<Self, ConfigError> {
        let config = CircuitBreakerConfig::new()
            .sliding_window(SlidingWindow::Count(10))
            .minimum_number_of_calls(5)
            .consecutive_failures_threshold(5)
            .open_wait(OpenWait::fixed(Duration::from_secs(1)))
            .permitted_calls_in_half_open(1);
        let breaker = CircuitBreaker::builder("cache").config(config).controls(controls);
        let breaker = breaker.recorder(recorder).build()?;
        Ok(Self { pool: RedisPool::impatient(url, LIMIT)?, breaker })
    }

    async fn run<T: FromRedisValue>(
        &self,
        operation: &'static str,
        command: redis::Cmd,
    ) -> Result<T, StoreError> {
        let open = |_| StoreError::new(StoreErrorKind::Unavailable, operation);
        let permit = self.breaker.try_acquire().map_err(open)?;
        let answer = self.pool.run(operation, &command).await;
        permit.settle(match &answer {
            Ok(_) => Outcome::Success,
            Err(_) => Outcome::ServiceError,
        });
        answer
    }
}

impl Cache for RedisCache {
    fn get<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<Bytes>> {
        let mut command = redis::cmd("GET");
        command.arg(key);
        Box::pin(async move {
            let value: Option<Vec<u8>> = self.run("cache.get", command).await?;
            Ok(value.map(Bytes::from))
        })
    }

    fn set<'a>(&'a self, key: &'a str, value: Bytes, ttl: Duration) -> StoreFuture<'a, ()> {
        let Some(milliseconds) = u64::try_from(ttl.as_millis()).ok().filter(|ms| *ms > 0) else {
            return self.remove(key);
        };
        let mut command = redis::cmd("PSETEX");
        command.arg(key).arg(milliseconds).arg(&*value);
        Box::pin(self.run("cache.set", command))
    }

    fn remove<'a>(&'a self, key: &'a str) -> StoreFuture<'a, ()> {
        let mut command = redis::cmd("DEL");
        command.arg(key);
        Box::pin(self.run("cache.remove", command))
    }
}
