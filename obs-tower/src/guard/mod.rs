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
//! use obs_core::circuit::CircuitBreaker;
//! use obs_tower::bulkhead::Bulkhead;
//! use obs_tower::guard::GuardLayer;
//! use obs_tower::load_shed::LoadShed;
//! use obs_tower::timeout::TimeLimiter;
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let guard = GuardLayer::builder()
//!     .time_limiter(TimeLimiter::builder("orders").build()?)
//!     .load_shed(LoadShed::builder("orders").build()?)
//!     .bulkhead(Bulkhead::builder("orders").build()?)
//!     .circuit_breaker(CircuitBreaker::builder("orders").build()?)
//!     .build();
//! let service = guard.layer(service_fn(|_: Request<()>| async {
//!     Ok::<_, std::convert::Infallible>(Response::new(Bytes::new()))
//! }));
//! assert_eq!(service.oneshot(Request::new(())).await.unwrap().status(), 200);
//! # Ok::<_, obs_core::config::ConfigError>(()) }).unwrap();
//! ```
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
//! Health and control routes are not shed (see [`ByRoute`](crate::load_shed::ByRoute)) and pass the
//! bulkhead and the breaker, too.
//!
//! # Cost
//!
//! With all parts on and nothing in the way about that of the parts, without a box and without an
//! allocation. A rate limit that must ask a store allocates.

mod future;
mod layer;
mod permits;
#[cfg(test)]
#[cfg(not(obs_loom))]
mod tests;

pub use future::ResponseFuture;
pub use layer::{GuardBuilder, GuardLayer, GuardService};
