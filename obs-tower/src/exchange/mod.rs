//! What the layers on both sides of an HTTP exchange share: how it can end, and how to tell.

mod attempt;
mod end;
pub(crate) mod grpc;
mod names;
mod progress;
mod standard_headers;
mod verdict;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use attempt::Attempt;
pub(crate) use end::{End, PanicMessage};
pub(crate) use grpc::GrpcStatus;
pub use names::{OTHER_METHOD, UNMATCHED};
pub(crate) use names::{in_milliseconds, method_name, milliseconds, protocol, scheme};
pub(crate) use progress::Progress;
pub(crate) use standard_headers::{RequestFields, StandardHeaders};
pub(crate) use verdict::Verdict;

/// Calls code that the suite does not know; `None` if it panics.
pub(crate) fn contained<T>(call: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(call)).ok()
}
