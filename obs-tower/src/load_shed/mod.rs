//! Load shedding: a limit of concurrency that finds itself.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use obs_tower::load_shed::{LoadShed, LoadShedLayer};
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let shed = LoadShed::builder("api").build()?;
//! let service = LoadShedLayer::new(shed).layer(service_fn(|_: Request<()>| async {
//!     Ok::<_, std::convert::Infallible>(Response::new(Bytes::new()))
//! }));
//! assert_eq!(service.oneshot(Request::new(())).await.unwrap().status(), 200);
//! # Ok::<_, obs_core::config::ConfigError>(()) }).unwrap();
//! ```
//!
//! # The algorithm
//!
//! A gradient, as in Netflix's `concurrency-limits` and Envoy's adaptive concurrency filter. At the
//! end of each window the limit becomes `limit * baseline / latency + sqrt(limit)`, where `latency`
//! is the window's mean and `baseline` is what calls take when nobody waits. It settles a little
//! above the point where queues begin. Chosen over AIMD, which has to hurt requests to find the
//! limit, and over Vegas, whose minimum of single samples is pinned by one fast answer.
//!
//! - One change per window, however many calls failed in it. A window ends after its length, and
//!   not before it has ten samples.
//! - A window in which a call ran into its deadline, or was refused by a guard further in, takes a
//!   tenth off instead.
//! - No growth while less than half of the limit is used: what is not tried is not known.
//! - The baseline is the mean of a window, never of one call. Whenever the limit is not in the way
//!   it follows the latency; when it has been in the way for long, or the limit keeps falling, the
//!   limit is cut for one window to measure it anew.
//! - Callers that went away and other errors say nothing: failing fast is not being fast.
//!
//! # Priorities
//!
//! The last part of the limit is kept for the more important: [`Priority::Low`] may use 70 % of it,
//! `Normal` 85 %, `High` 95 %, `Critical` all. So nothing is shed while something less important is
//! let in. Each class has one place that is never taken away. Health and control routes are never
//! shed.
//!
//! [`Priority::Low`]: crate::priority::Priority::Low
//!
//! # Place in a stack
//!
//! Outside the bulkhead and the circuit breaker, inside the rate limit. It reads the deadline's
//! verdict when it is outside the time limit or when the deadline is inherited.
//!
//! # Cost
//!
//! Two atomic operations on each side, the reference count, and a reading of the coarse clock. The
//! precise clock is read for the first 64 calls of a window and for one in 13 of the rest. No lock
//! except at the end of a window, no allocation.

mod builder;
mod config;
mod control;
mod gradient;
mod handle;
mod layer;
mod permit;
#[cfg(test)]
#[cfg(not(obs_loom))]
mod tests;
mod window;

pub use crate::judged::ResponseFuture;
pub use builder::LoadShedBuilder;
pub use config::LoadShedConfig;
pub use handle::LoadShed;
pub use layer::{ByRoute, Importance, LoadShedLayer, LoadShedService, Shedding};
#[cfg(feature = "guard")]
pub(crate) use permit::Ticket;
pub use permit::{LoadShedPermit, Shed};
