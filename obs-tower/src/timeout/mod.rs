//! A time limit that is a deadline: everything inside goes by what is left of it.
//!
//! The deadline of a call is the earlier of its own limit and the one it
//! [inherits](crate::deadline::inherited). While the call runs it is
//! [`Deadline::current`](obs_core::deadline::Deadline::current), so queues, retries, breakers and
//! outgoing calls inside clamp to it. When it passes, the inner future is dropped first, and then
//! the caller gets 504 (or an error, with [`AsError`](crate::reject::AsError)). A call that arrives
//! with its deadline behind it is refused before anything runs.
//!
//! ```
//! use std::time::Duration;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use obs_tower::timeout::{TimeLimiter, TimeoutLayer};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! let limiter = TimeLimiter::builder("orders").timeout_duration(Duration::from_secs(2)).build()?;
//! let service = TimeoutLayer::new(limiter).layer(service_fn(|_: Request<()>| {
//!     std::future::pending::<Result<Response<Bytes>, std::convert::Infallible>>()
//! }));
//! assert_eq!(service.oneshot(Request::new(())).await.unwrap().status(), 504);
//! # Ok::<_, obs_core::config::ConfigError>(()) }).unwrap();
//! ```
//!
//! [`TimeoutLayer::limit_by`] sets other limits by operation or tenant. The body of a response has
//! limits of its own: [`BodyTimeoutLayer`].
//!
//! # Place in a stack
//!
//! Outside a queue or a retry it limits their sum; inside a retry it limits one attempt. On either
//! side of a circuit breaker it feeds it.
//!
//! # A process that was frozen
//!
//! If the timer fires more than a second late, the process did not run in between: a Lambda sandbox
//! that was frozen, a suspended machine. The time limit then is extended once by as much, at most
//! by its own length, so that an answer that waits in the socket can still be read. A deadline that
//! was inherited is not extended. The clock [takes note](obs_core::clock::Clock::note_frozen), so that
//! breakers and limits do not take the freeze for slowness.
//!
//! Nothing runs on after its time: the inner future is dropped, not detached, so a panic in it is
//! the panic of the call.
//!
//! # Cost
//!
//! A reference count and a reading of the coarse clock; two thread-locals are read, and one is set
//! around the call and each look for the answer. No timer is armed for an answer that is ready at
//! once. No allocation.

mod body;
mod control;
mod future;
mod layer;
mod limiter;
#[cfg(test)]
#[cfg(not(obs_loom))]
mod tests;

pub use body::{BodyTimeoutError, BodyTimeoutLayer, BodyTimeoutService, TimeoutBody};
pub use future::ResponseFuture;
#[cfg(feature = "guard")]
pub(crate) use future::Timer;
pub use layer::{DefaultLimit, LimitOf, TimeoutLayer, TimeoutService};
#[cfg(feature = "guard")]
pub(crate) use limiter::Limit;
pub use limiter::{TimeLimiter, TimeLimiterBuilder};
