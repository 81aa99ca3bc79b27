use super::{Check, CheckFuture, Observation};

/// Sends `PING` to a Redis over a connection of its own.
///
/// The connection is opened anew at each run, so that the check also finds a server that refuses
/// connections.
///
/// ```
/// use obs_health::Dependency;
/// use obs_health::check::RedisCheck;
///
/// let client = redis::Client::open("redis://127.0.0.1/")?;
/// let dependency = Dependency::optional("cache", RedisCheck::new(client));
/// # let _ = dependency;
/// # Ok::<(), redis::RedisError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RedisCheck {
    client: redis::Client,
}

impl RedisCheck {
    /// A check of the server that `client` connects to.
    #[must_use]
    pub fn new(client: redis::Client) -> Self {
        Self { client }
    }
}

impl Check for RedisCheck {
    fn check(&self) -> CheckFuture {
        let client = self.client.clone();
        Box::pin(async move {
            let ping = async {
                let mut connection = client.get_multiplexed_async_connection().await?;
                redis::cmd("PING").query_async::<String>(&mut connection).await
            };
            match ping.await {
                Ok(answer) if answer == "PONG" => Observation::pass(),
                Ok(_) => Observation::fail("answered PING with something else than PONG"),
                Err(error) => Observation::fail(error.to_string()),
            }
        })
    }

    fn component_type(&self) -> &'static str {
        "datastore"
    }
}
