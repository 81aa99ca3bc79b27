//! A bulkhead: so many calls at once and no more, shared out fairly.
//!
//! ```
//! use std::time::Duration;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use obs_tower::bulkhead::{Bulkhead, BulkheadConfig, BulkheadLayer, Place, Share};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! fn tenant(request: &Request<()>) -> Place<'_> {
//!     let tenant = request.headers().get("x-tenant-id").and_then(|value| value.to_str().ok());
//!     Place::default().share(Share::of(tenant.unwrap_or("")))
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let config = BulkheadConfig::new()
//!     .max_concurrent_calls(50)
//!     .max_wait_duration(Duration::from_millis(200));
//! let bulkhead = Bulkhead::builder("orders").config(config).build()?;
//! let service = BulkheadLayer::new(bulkhead).place_by(tenant).layer(service_fn(
//!     |_: Request<()>| async { Ok::<_, std::convert::Infallible>(Response::new(Bytes::new())) },
//! ));
//! assert_eq!(service.oneshot(Request::new(())).await.unwrap().status(), 200);
//! # Ok::<_, obs_core::config::ConfigError>(()) }).unwrap();
//! ```
//!
//! # Who is next
//!
//! Room goes first to calls that have starved for half the longest wait, oldest first; then by
//! [priority](crate::priority::Priority); then to the [`Share`] (a tenant, an operation) with the
//! least in flight for its weight; then by turn. So one busy share may use everything while nobody
//! else wants it, and another that comes gets its part as soon as calls end. Nobody who waits for
//! room in a narrow share holds room in the whole.
//!
//! Names of shares cost memory only while calls carry them, so made-up ones do no harm.
//!
//! # Bounds
//!
//! The queue is bounded in length and in age, and the age also by the request's deadline: a call
//! that would have less time left than calls take on average is refused instead of started. The
//! default is not to wait at all, as in resilience4j.
//!
//! # Place in a stack
//!
//! Room is taken in `call`, never in `poll_ready`: an idle connection holds nothing. Put it inside
//! a time limit, so that waiting counts; outside a circuit breaker, so that what is refused here
//! does not count there. A permit is held until the response's headers, or to the end of its body
//! with [`BulkheadLayer::hold_to_end_of_body`].
//!
//! # Cost
//!
//! Without shares and with room: two atomic operations and a reference count; the clock is read
//! only if calls may wait. With shares: a lock and a hash-table
//! look-up each way. Choosing the next walks over the shares that wait. No allocation, except to
//! queue up.

mod builder;
mod config;
mod control;
mod future;
mod gate;
mod handle;
mod hold;
mod layer;
#[cfg(test)]
#[cfg(obs_loom)]
mod model;
mod permit;
mod place;
mod queue;
mod sync;
#[cfg(test)]
#[cfg(not(obs_loom))]
mod tests;

pub use builder::BulkheadBuilder;
pub use config::{BulkheadConfig, Order};
pub use future::ResponseFuture;
#[cfg(feature = "guard")]
pub(crate) use future::poll_queue;
pub use handle::Bulkhead;
pub use hold::{Hold, PermitBody, UntilEndOfBody, UntilHeaders};
pub use layer::{BulkheadLayer, BulkheadService, NoShares, PlaceOf};
#[cfg(feature = "guard")]
pub(crate) use permit::{Admission, Ticket, Waiting};
pub use permit::{BulkheadFull, BulkheadPermit};
pub use place::{Place, Share};
