//! What is asked of a dependency, and what it answers.
//!
//! A [`Check`] is asked in the background, under a time limit; a probe never waits for it. Any
//! async closure whose output turns into an [`Observation`] is a check.
//!
//! ```
//! use obs_health::Dependency;
//! use obs_health::check::{MemoryCheck, Observation, TcpCheck};
//!
//! let database = Dependency::required("database", TcpCheck::new("db.internal:5432"));
//! let memory = Dependency::optional("memory", MemoryCheck::new());
//! let queue = Dependency::optional("queue", async || Observation::pass().value(12.0, "messages"));
//! # let _ = (database, memory, queue);
//! ```

#[cfg(feature = "disk")]
mod disk;
#[cfg(feature = "dynamodb")]
mod dynamodb;
mod event_loop;
#[cfg(feature = "http-check")]
mod http;
mod memory;
mod observation;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "sqlx")]
mod sql;
mod tcp;
mod telemetry;

use std::future::Future;
use std::pin::Pin;

#[cfg(feature = "disk")]
pub use disk::DiskCheck;
#[cfg(feature = "dynamodb")]
pub use dynamodb::DynamoDbCheck;
pub use event_loop::{EventLoopCheck, Heartbeat};
#[cfg(feature = "http-check")]
pub use http::HttpCheck;
pub use memory::{MemoryCheck, MemorySource};
pub use observation::Observation;
#[cfg(feature = "redis")]
pub use redis::RedisCheck;
#[cfg(feature = "sqlx")]
pub use sql::SqlCheck;
pub use tcp::TcpCheck;
pub use telemetry::ControlCheck;

/// The future of one run of a [`Check`].
pub type CheckFuture = Pin<Box<dyn Future<Output = Observation> + Send>>;

/// A question to a dependency.
///
/// The future may be dropped at any point, when its time limit passes. It must not block its
/// thread; wrap blocking work in [`blocking`].
///
/// ```
/// use obs_health::Dependency;
/// use obs_health::check::{Check, CheckFuture, Observation};
///
/// /// Whether a licence is there.
/// struct Licence;
///
/// impl Check for Licence {
///     fn check(&self) -> CheckFuture {
///         Box::pin(async { Observation::pass() })
///     }
///
///     fn component_type(&self) -> &'static str {
///         "component"
///     }
/// }
///
/// let by_hand = Dependency::required("licence", Licence);
/// // A closure that gives a future of a result is a check, too.
/// let by_closure = Dependency::required("database", async || Ok::<(), std::io::Error>(()));
/// # let _ = (by_hand, by_closure);
/// ```
pub trait Check: Send + Sync + 'static {
    /// Starts one run.
    fn check(&self) -> CheckFuture;

    /// What the dependency is, for the report: `component`, `datastore` or `system`.
    fn component_type(&self) -> &'static str {
        "component"
    }
}

impl<F, Fut> Check for F
where
    F: Fn() -> Fut + Send + Sync + 'static,
    Fut: Future + Send + 'static,
    Fut::Output: Into<Observation>,
{
    fn check(&self) -> CheckFuture {
        let run = self();
        Box::pin(async move { run.await.into() })
    }
}

/// A check that does blocking work, on Tokio's pool for it.
///
/// While a run that has passed its time limit still blocks its thread, no further run is started:
/// a dependency that hangs holds one thread, not one per interval.
///
/// ```
/// use obs_health::check::{Check, blocking};
///
/// let spool = blocking(|| std::fs::metadata("/").map(drop));
/// # let _: &dyn Check = &spool;
/// ```
pub fn blocking<F, T>(work: F) -> impl Check
where
    F: Fn() -> T + Clone + Send + Sync + 'static,
    T: Into<Observation>,
{
    let running = std::sync::Arc::new(tokio::sync::Semaphore::new(1));
    move || {
        let work = work.clone();
        let permit = running.clone().try_acquire_owned();
        async move {
            let Ok(permit) = permit else {
                return Observation::fail("an earlier run still blocks its thread");
            };
            let run = move || {
                let observation = work().into();
                drop(permit);
                observation
            };
            match tokio::task::spawn_blocking(run).await {
                Ok(observation) => observation,
                Err(_) => Observation::fail("the check panicked"),
            }
        }
    }
}
