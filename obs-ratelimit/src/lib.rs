//! Rate limits for tower services: local to a process, with the response headers of the IETF
//! draft.

// What only some features use is written once, and compiled always.
#[cfg_attr(not(all(feature = "shared", feature = "layer")), allow(dead_code, unused_imports))]
mod engine;
mod headers;
#[cfg_attr(not(all(feature = "shared", feature = "layer")), allow(dead_code, unused_imports))]
mod key;
#[cfg(feature = "layer")]
mod layer;
#[cfg_attr(not(all(feature = "shared", feature = "layer")), allow(dead_code, unused_imports))]
mod lease;
#[cfg_attr(not(all(feature = "shared", feature = "layer")), allow(dead_code, unused_imports))]
mod limiter;
#[cfg_attr(not(all(feature = "shared", feature = "layer")), allow(dead_code, unused_imports))]
mod local;
mod overrides;
mod policy;
mod quota;
#[cfg(feature = "sim")]
pub mod sim;
#[cfg_attr(not(all(feature = "shared", feature = "layer")), allow(dead_code, unused_imports))]
mod store;

pub use headers::{Emit, Headers, ResetStyle};
pub use key::Key;
#[cfg(feature = "layer")]
pub use layer::{RateLimit, RateLimitLayer, ResponseBody, ResponseFuture};
pub use lease::{Bound, LeaseConfig, OnStoreFailure};
pub use limiter::{Check, Limiter, LimiterBuilder, Peek};
pub use overrides::{Limit, Overrides};
pub use policy::{Charge, DEFAULT_MAX_KEYS, OnMissingKey, Policy, PolicyBuilder};
pub use quota::{CalendarUnit, MAX_PERIOD, Quota};
pub use store::{
    GiveBack, Grant, MemoryStore, SharedBucket, Store, StoreError, StoreErrorKind, StoreFuture,
    StoreKey, Take,
};
