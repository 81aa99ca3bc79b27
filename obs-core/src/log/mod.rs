//! Lines: one JSON object each, with a fixed order of keys.
//!
//! `timestamp`, `level`, `message`, `target`, `service`; inside a request `correlation_id`,
//! `trace_id`, `span_id`, `xray_trace_id`, `tenant_id` and `user_id` as far as they are known;
//! then the fields, flat, with keys in `snake_case`; then what CloudWatch reads as metrics. No key
//! stands twice: a field that is named like one of the line's own members gets `field_` before
//! its name.
//!
//! [`Line`] is the encoder. It appends to a buffer of the caller and allocates nothing itself.

mod buffer;
mod encode;
mod escape;
mod field_key;
mod fields;
mod flight_recorder;
mod format;
mod ids;
#[cfg(any(test, feature = "test-util"))]
#[doc(hidden)]
pub mod invariants;
mod key;
mod level;
mod line;
pub mod number;
mod redact;
mod scan;
#[cfg(test)]
mod tests;
pub mod text;
mod value;

pub use buffer::with_buffer;
pub use encode::ValueRef;
pub use field_key::FieldKey;
pub use fields::Fields;
pub use flight_recorder::FlightRecorder;
pub use format::LineFormat;
pub use ids::Ids;
pub use level::LineLevel;
pub use line::{Line, TailRoom};
pub(crate) use redact::REDACTED;
pub use redact::{HeaderFields, Redactor};
pub use value::Value;
