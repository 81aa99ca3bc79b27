//! Spans within a request: children of its span, built only if its trace is sampled.
//!
//! `#[instrument]` and the other macros of `tracing` make such spans through
//! [`ChildSpanLayer`](crate::subscriber::ChildSpanLayer); a [`CallSpan`] needs no subscriber.
//! Code that speaks OpenTelemetry's API takes the same road through a `BridgeProvider` (feature
//! `otel`).
//!
//! ```
//! use obs_core::span::CallSpan;
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
//! # runtime.block_on(async {
//! let cached = CallSpan::redis("GET").observe(async { Ok::<_, std::io::Error>("7") }).await;
//! assert_eq!(cached.unwrap(), "7");
//! # });
//! ```

mod call;
#[cfg(feature = "otel")]
mod otel;
mod parent;

pub use call::{CallSpan, ObservedCall};
#[cfg(feature = "otel")]
pub use otel::{BridgeProvider, BridgeTracer, BridgedSpan};
pub(crate) use parent::Parent;
