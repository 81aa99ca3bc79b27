//! All patterns in one layer: one look at the clock when a request comes, one verdict when it ends.
//!
//! ```text
//! deadline -> rate limit -> load shedding -> bulkhead -> circuit breaker -> time limit -> service
//! ```
//!
//! ```
//! use std::time::Duration;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use obs_core::circuit::CircuitBreakerConfig;
//! use obs_tower::bulkhead::BulkheadConfig;
//! use obs_tower::guard::GuardConfig;
//! use obs_tower::load_shed::LoadShedConfig;
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let guard = GuardConfig::new()
//!     .timeout_duration(Duration::from_secs(2))
//!     .load_shed(LoadShedConfig::new())
//!     .bulkhead(BulkheadConfig::new().max_wait_duration(Duration::from_millis(200)))
//!     .circuit_breaker(CircuitBreakerConfig::new())
//!     .guard("orders")?
//!     .build();
//! let service = guard.layer(service_fn(|_: Request<()>| async {
//!     Ok::<_, std::convert::Infallible>(Response::new(Bytes::new()))
//! }));
//! assert_eq!(service.oneshot(Request::new(())).await.unwrap().status(), 200);
//! # Ok::<_, obs_core::config::ConfigError>(()) }).unwrap();
//! ```
//!
//! [`GuardLayer::builder`] takes parts that exist already, to share them with others.
//!
//! # Why this order
//!
//! What costs least and says most goes first. A request whose deadline has passed costs nothing
//! more. A caller over its rate must not take room from others. What the service cannot serve in
//! time is shed before it queues. The breaker comes after the queue, so that it judges the moment
//! in which the call is made and its probes are real calls. The time limit covers the whole,
//! waiting included.
//!
//! # One verdict
//!
//! The result is read once. Limits, breaker and load shedding all get the same
//! [`Outcome`](obs_core::outcome::Outcome), also when the deadline passes, the handler panics or
//! the caller goes away. A refusal by one part is no news about the service: the parts before it
//! give the request back as if it had never been, except that a refusal further in tells the load
//! shedding that there is too much.
//!
//! Health and control routes (see [`ByRoute`](crate::load_shed::ByRoute)) are limited in time only.
//!
//! # Cost
//!
//! With all parts on and nothing in the way less than that of the parts, which share two readings of
//! the coarse clock and one reference count; no box, no allocation. A rate limit that must ask a store allocates.

mod choose;
mod config;
mod future;
mod held;
mod layer;
mod parts;
mod service;
#[cfg(test)]
#[cfg(not(obs_loom))]
mod tests;

pub use choose::{Choices, Choose, KeyOf, NoKey};
pub use config::GuardConfig;
pub use future::ResponseFuture;
pub use layer::{GuardBuilder, GuardLayer};
pub use service::GuardService;
