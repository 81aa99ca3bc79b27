use std::fmt;
use std::time::Duration;

use bb8::{ManageConnection, Pool, RunError};
use obs_core::clock::Clock;
use obs_core::config::ConfigError;
use obs_core::metric::Recorder;
use obs_tower::retry::{Advice, Backoff, Jitter, Retry, RetryConfig};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError};
use shop_domain::port::{StoreError, StoreErrorKind};

/// The most connections.
const MAX_SIZE: u32 = 10;

/// How many are kept although nobody uses them.
const MIN_IDLE: u32 = 2;

/// How long another one may be unused before it is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// How long one attempt to connect, and one command, may take.
const TIME_LIMIT: Duration = Duration::from_secs(2);

/// How long a caller waits for a connection: longer than all retries together, which take 3.4 s.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connections to one Redis; cheap to clone.
///
/// At most 10, of which 2 are kept, the others for 5 minutes without use. A connection that cannot
/// be opened is tried again up to 5 times, after `min(100 ms * 2^n, 2 s)`, give or take a tenth.
/// Before it is used again it is asked whether it still works, so that a server that was started
/// anew costs nobody a command; one whose last command was not answered is closed.
#[derive(Clone)]
pub struct RedisPool {
    pool: Pool<Connections>,
    client: Client,
    /// How long a caller waits for a connection and the answer to its command together.
    limit: Duration,
}

impl RedisPool {
    /// Connections to the server at `url`, such as `redis://127.0.0.1:6379`; opens none yet.
    ///
    /// # Errors
    /// [`ConfigError`] when the URL cannot be read.
    pub fn new(url: &str, clock: &Clock, recorder: &dyn Recorder) -> Result<Self, ConfigError> {
        let retry = Retry::builder("redis").config(retries()).clock(clock.clone());
        Self::with(url, retry.recorder(recorder).build()?, PATIENCE + TIME_LIMIT, true)
    }

    /// Connections for what can be done without: tried once, not asked whether they still work,
    /// and given up after `limit`.
    ///
    /// # Errors
    /// [`ConfigError`] when the URL cannot be read.
    pub fn impatient(url: &str, limit: Duration) -> Result<Self, ConfigError> {
        let once = RetryConfig::new().max_attempts(1);
        Self::with(url, Retry::builder("redis").config(once).build()?, limit, false)
    }

    fn with(url: &str, retry: Retry, limit: Duration, ask: bool) -> Result<Self, ConfigError> {
        let rule = "must be redis://[user:password@]host[:port][/database]";
        // The address may hold a password, so it is not repeated.
        let client = Client::open(url)
            .map_err(|_| ConfigError::new("SHOP_REDIS_URL", "(not shown)", rule))?;
        let pool = Pool::builder()
            .max_size(MAX_SIZE)
            .min_idle(MIN_IDLE)
            .idle_timeout(IDLE_TIMEOUT)
            .connection_timeout(PATIENCE)
            // The connector has retries of its own.
            .retry_connection(false)
            .test_on_check_out(ask)
            .build_unchecked(Connections { client: client.clone(), retry });
        Ok(Self { pool, client, limit })
    }

    /// Asks the server over a connection of its own whether it is there.
    ///
    /// # Errors
    /// When it does not answer `PONG` within 2 s.
    pub async fn ping(&self) -> Result<(), StoreError> {
        let ping = async {
            let mut connection = connect(&self.client).await?;
            redis::cmd("PING").query_async::<()>(&mut connection).await
        };
        let late = |_| StoreError::new(StoreErrorKind::Unavailable, "ping");
        let answer = tokio::time::timeout(TIME_LIMIT, ping).await.map_err(late)?;
        answer.map_err(|error| store_error("ping", error))
    }

    /// Runs one command or script; its span is named after the command.
    #[tracing::instrument(
        name = "redis",
        skip_all,
        fields(otel.name = name(command), otel.kind = "client", db.system.name = "redis")
    )]
    pub(super) async fn run<T: redis::FromRedisValue>(
        &self,
        operation: &'static str,
        command: &redis::Cmd,
    ) -> Result<T, StoreError> {
        let exchange = async {
            let mut connection = self.pool.get().await.map_err(|error| match error {
                RunError::User(error) => store_error(operation, error),
                RunError::TimedOut => StoreError::new(StoreErrorKind::Throttled, operation),
            })?;
            let answer = connection.ask(command).await;
            answer.map_err(|error| store_error(operation, error))
        };
        let late = |_| StoreError::new(StoreErrorKind::Unavailable, operation);
        tokio::time::timeout(self.limit, exchange).await.map_err(late)?
    }
}

/// The command's own name, such as `HGETALL`: never its arguments, which are customers' data.
fn name(command: &redis::Cmd) -> &str {
    match command.args_iter().next() {
        Some(redis::Arg::Simple(name)) => std::str::from_utf8(name).unwrap_or("redis"),
        _ => "redis",
    }
}

fn retries() -> RetryConfig {
    let backoff = Backoff::exponential(Duration::from_millis(100), Duration::from_secs(2));
    // The wait for a connection bounds the retries; a budget over all callers would stop those of
    // the second one.
    RetryConfig::new()
        .max_attempts(6)
        .backoff(backoff)
        .jitter(Jitter::TenPercent)
        .budget(1.0, 1_000)
}

async fn connect(client: &Client) -> Result<MultiplexedConnection, RedisError> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(TIME_LIMIT))
        .set_response_timeout(Some(TIME_LIMIT));
    client.get_multiplexed_async_connection_with_config(&config).await
}

fn store_error(operation: &'static str, error: RedisError) -> StoreError {
    let kind = match error.kind() {
        redis::ErrorKind::UnexpectedReturnType | redis::ErrorKind::Parse => StoreErrorKind::Corrupt,
        _ => StoreErrorKind::Unavailable,
    };
    StoreError::new(kind, operation).because(error)
}

/// A connection, and whether its last command was answered.
struct Connection {
    redis: MultiplexedConnection,
    unanswered: bool,
}

impl Connection {
    async fn ask<T: redis::FromRedisValue>(
        &mut self,
        command: &redis::Cmd,
    ) -> Result<T, RedisError> {
        // It stays so when the future is dropped: nobody waited for the answer any more.
        self.unanswered = true;
        let answer = command.query_async(&mut self.redis).await;
        // A refusal is an answer, too.
        self.unanswered = answer.as_ref().is_err_and(|error| error.is_io_error());
        answer
    }
}

/// Opens connections for the pool.
struct Connections {
    client: Client,
    retry: Retry,
}

impl ManageConnection for Connections {
    type Connection = Connection;
    type Error = RedisError;

    async fn connect(&self) -> Result<Connection, RedisError> {
        let worth_another = |result: &Result<_, RedisError>| match result {
            Err(error) if error.is_io_error() || error.is_timeout() => Advice::retry(),
            _ => Advice::done(),
        };
        let redis = self.retry.run(|_| connect(&self.client), worth_another).await?;
        Ok(Connection { redis, unanswered: false })
    }

    async fn is_valid(&self, connection: &mut Connection) -> Result<(), RedisError> {
        connection.ask(&redis::cmd("PING")).await
    }

    fn has_broken(&self, connection: &mut Connection) -> bool {
        connection.unanswered
    }
}

impl fmt::Debug for RedisPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.pool.state();
        f.debug_struct("RedisPool").field("connections", &state.connections).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_away_is_tried_six_times_within_three_and_a_half_seconds() {
        // A port that was free a moment ago refuses at once.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let client = Client::open(format!("redis://{address}")).unwrap();
        let retry = Retry::builder("redis").config(retries()).seed(7).build().unwrap();
        let connections = Connections { client, retry: retry.clone() };
        let began = tokio::time::Instant::now();
        assert!(connections.connect().await.is_err());
        let waited = began.elapsed();
        let counters = retry.counters();
        assert_eq!((counters.made, counters.exhausted), (5, 1));
        // 100 + 200 + 400 + 800 + 1600 ms, give or take a tenth.
        assert!((2_790..=3_410).contains(&waited.as_millis()), "{waited:?}");
    }

    #[test]
    fn an_address_that_cannot_be_read_is_refused_without_being_repeated() {
        let error = RedisPool::impatient("cart:secret", TIME_LIMIT).unwrap_err();
        assert_eq!(error.field(), "SHOP_REDIS_URL");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
