//! Spans within a request: children of its span, built only if its trace is sampled.
//!
//! `#[instrument]` and the other macros of `tracing` make such spans through
//! [`ChildSpanLayer`](crate::subscriber::ChildSpanLayer); a [`CallSpan`] needs no subscriber.

mod call;
mod parent;

pub use call::{CallSpan, ObservedCall};
pub(crate) use parent::Parent;
