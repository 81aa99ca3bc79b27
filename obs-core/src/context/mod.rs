//! The request that the current code works for.
//!
//! A [`RequestContext`] is made once per request and follows its future: it is current during
//! every poll of a [`Scoped`] future, on whatever thread and executor, and at no other time. Work
//! that leaves the future takes it along with one of the helpers, and is outside of any request
//! without them; it never sees another request's.
//!
//! | work that goes on in | helper |
//! |---|---|
//! | a spawned task | [`InCurrentContext::in_current_context`]; on tokio `spawn` |
//! | a `JoinSet` | on tokio `JoinSetExt` |
//! | `select!`, `join!`, a stream | none needed: they are polled inside the request's future |
//! | a stream polled elsewhere, such as a response body | [`InCurrentContext::in_current_context`] |
//! | a thread, a callback | [`wrap`]; on tokio `spawn_blocking` |
//!
//! ```
//! use obs_core::context::RequestContext;
//!
//! async fn handler() {
//!     RequestContext::with_current(|request| {
//!         request.set_tenant_id("acme");
//!         request.record("cart_items", 3);
//!     });
//! }
//! ```

#[cfg(feature = "aws-sdk")]
mod aws_sdk;
mod builder;
mod current;
mod outgoing;
mod recorded;
mod recording;
mod request;
mod scoped;
#[cfg(feature = "tokio")]
mod spawn;
mod telemetry;

#[cfg(feature = "aws-sdk")]
pub use aws_sdk::TraceInterceptor;
pub use builder::RequestContextBuilder;
pub(crate) use current::look;
pub use current::{
    Captured, ContextGuard, SpanGuard, current_deadline, current_span_id, enter_span, replace_span,
};
pub use recorded::Recorded;
pub use request::RequestContext;
pub use scoped::{InCurrentContext, Scoped, wrap};
#[cfg(feature = "tokio")]
pub use spawn::{JoinSetExt, spawn, spawn_blocking};
