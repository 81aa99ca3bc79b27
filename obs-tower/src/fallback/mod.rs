//! Another answer when there is none: a value, or another service.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use obs_core::outcome::Outcome;
//! use obs_tower::fallback::FallbackLayer;
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let cached = FallbackLayer::value(|_: Outcome| Ok(Response::new(Bytes::from_static(b"[]"))));
//! let service = cached.layer(service_fn(|_: Request<()>| async {
//!     Response::builder().status(503).body(Bytes::new())
//! }));
//! let response = service.oneshot(Request::new(())).await.unwrap();
//! assert_eq!(response.into_body(), "[]");
//! # });
//! ```
//!
//! A fallback answers for faults of the service and for refusals of our own guards, unless
//! [`FallbackLayer::when`] says otherwise. It does not answer for a caller's mistakes, so a 404
//! stays one.
//!
//! A [`Fallback`] handle counts what falls back, records it, and lets operators switch it:
//! [`FallbackLayer::handle`].
//!
//! # Place in a stack
//!
//! Outermost of the patterns: what it replaces has been judged by all of them as what it was. The
//! request line and the request metrics show what the caller got.
//!
//! # Cost
//!
//! Nothing but a look at the outcome while all is well. With a service to fall back to, the request
//! is copied first.

mod control;
mod future;
mod handle;
mod layer;
#[cfg(test)]
mod tests;

pub use future::{Oneshot, ResponseFuture};
pub use handle::{Fallback, FallbackBuilder};
pub use layer::{
    Copied, CopyRequest, Fall, FallbackLayer, FallbackService, Prepared, ToService, ToValue,
};
