use std::time::Duration;

use obs_core::config::ConfigError;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::{Client, FromRedisValue, RedisError, RedisResult, ScriptInvocation};
use tokio::sync::{Mutex, OnceCell};

/// A connection that is made when it is first used, and kept.
pub(super) enum Connection {
    /// Its maker needs a runtime, so it is made inside of one.
    Single(Box<Client>, OnceCell<ConnectionManager>),
    Cluster(Box<ClusterClient>, Mutex<Option<ClusterConnection>>),
}

/// The caller has a time-out of its own; this one frees what a lost answer holds.
const ANSWER: Duration = Duration::from_secs(1);
const CONNECT: Duration = Duration::from_secs(1);

impl Connection {
    pub(super) fn single(url: &str) -> Result<Self, ConfigError> {
        let client = Client::open(url).map_err(|error| not_a_url(url, &error))?;
        Ok(Self::Single(Box::new(client), OnceCell::new()))
    }

    pub(super) fn cluster(urls: &[&str]) -> Result<Self, ConfigError> {
        let client = ClusterClientBuilder::new(urls.iter().copied())
            .connection_timeout(CONNECT)
            .response_timeout(ANSWER)
            .retries(2)
            .build()
            .map_err(|error| not_a_url(&urls.join(","), &error))?;
        Ok(Self::Cluster(Box::new(client), Mutex::new(None)))
    }

    /// Calls a script, loading it where it is not known yet.
    pub(super) async fn invoke<T: FromRedisValue>(
        &self,
        call: &ScriptInvocation<'_>,
    ) -> RedisResult<T> {
        match self {
            Self::Single(client, manager) => {
                let manager = manager.get_or_try_init(|| async { lazy(client) }).await?;
                call.invoke_async(&mut manager.clone()).await
            }
            Self::Cluster(client, kept) => {
                let mut connection = {
                    let mut kept = kept.lock().await;
                    match &*kept {
                        Some(connection) => connection.clone(),
                        None => kept.insert(client.get_async_connection().await?).clone(),
                    }
                };
                call.invoke_async(&mut connection).await
            }
        }
    }
}

fn lazy(client: &Client) -> RedisResult<ConnectionManager> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(CONNECT))
        .set_response_timeout(Some(ANSWER))
        .set_number_of_retries(0)
        .set_max_delay(Duration::from_secs(1));
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

/// The URL may hold a password: only its scheme is shown.
fn not_a_url(url: &str, error: &RedisError) -> ConfigError {
    let scheme = url.split("://").next().unwrap_or_default();
    ConfigError::new("url", format_args!("{scheme}://…"), format!("must be a Redis URL: {error}"))
}
