//! Rate limits for tower services: local to a process, with the response headers of the IETF
//! draft.

mod engine;
mod headers;
mod key;
#[cfg(feature = "layer")]
mod layer;
mod limiter;
mod local;
mod overrides;
mod policy;
mod quota;

pub use headers::{Emit, Headers, ResetStyle};
pub use key::Key;
#[cfg(feature = "layer")]
pub use layer::{RateLimit, RateLimitLayer, ResponseBody, ResponseFuture};
pub use limiter::{Check, Limiter, LimiterBuilder, Peek};
pub use overrides::{Limit, Overrides};
pub use policy::{Charge, DEFAULT_MAX_KEYS, OnMissingKey, Policy, PolicyBuilder};
pub use quota::{CalendarUnit, MAX_PERIOD, Quota};
