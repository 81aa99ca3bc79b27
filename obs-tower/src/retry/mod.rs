//! Retries that cannot make an outage worse.
//!
//! A call is repeated only if it is safe (an idempotent method, or an idempotency key), only while
//! the [budget](RetryBudget) lasts, only if the [deadline](crate::deadline) leaves time for it, and
//! only by the outermost tier: a request that already carries `x-request-attempt`, or that is made
//! on behalf of one that came with it, is sent once. What our own guards refused is not repeated.
//!
//! ```
//! use std::time::Duration;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use obs_tower::retry::{Backoff, Retry, RetryConfig, RetryLayer};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! let config = RetryConfig::new().max_attempts(3).backoff(Backoff::exponential(
//!     Duration::from_millis(50),
//!     Duration::from_secs(2),
//! ));
//! let retry = Retry::builder("inventory").config(config).build()?;
//! let client = RetryLayer::new(retry).layer(service_fn(|request: Request<_>| async move {
//!     let first = request.headers()["x-request-attempt"] == "1";
//!     Response::builder().status(if first { 503 } else { 200 }).body(Bytes::new())
//! }));
//! let response = client.oneshot(Request::new(Full::<Bytes>::default())).await.unwrap();
//! assert_eq!(response.status(), 200);
//! # Ok::<_, obs_core::config::ConfigError>(()) }).unwrap();
//! ```
//!
//! For what is no HTTP (SQL, Redis, SDK calls), [`Retry::run`] repeats any async function. The
//! layer is a [`tower::retry::Policy`] around a body that can be [replayed](ReplayBody); stacks
//! that use tower's own layer can take [`RetryPolicy`] alone.
//!
//! # Place in a stack
//!
//! Outside the circuit breaker and the limit per attempt, inside the time limit of the whole.
//! The response that is given up for a retry is dropped without reading its body: HTTP/1 closes
//! that connection, HTTP/2 resets the stream. Dropping the call while it waits ends it.
//!
//! # Cost
//!
//! A request that may be repeated is cloned before it is sent (its headers are; its body is not,
//! chunks are shared as they pass); others are not. While all is well the budget is one atomic
//! reading; no lock is taken before something has failed.

mod body;
mod budget;
mod config;
mod control;
mod handle;
mod layer;
#[cfg(test)]
#[cfg(obs_loom)]
mod model;
mod policy;
mod pushback;
mod sync;
#[cfg(test)]
#[cfg(not(obs_loom))]
mod tests;

pub use body::ReplayBody;
pub use budget::RetryBudget;
pub use config::{Backoff, Jitter, RetryConfig};
pub use handle::{Advice, Retry, RetryBuilder, RetryCounters};
pub use layer::{ResponseFuture, RetryLayer, RetryService};
pub use policy::RetryPolicy;
