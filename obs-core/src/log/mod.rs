//! Lines: one JSON object each, with a fixed order of keys.
//!
//! `timestamp`, `level`, `message`, `target`, `service`; inside a request `correlation_id`,
//! `trace_id`, `span_id`, `xray_trace_id`, `tenant_id` and `user_id` as far as they are known;
//! then the fields, flat, with keys in `snake_case`; then what CloudWatch reads as metrics. No key
//! stands twice: a field that is named like one of the line's own members gets `field_` before
//! its name.
//!
//! [`Line`] is the encoder. It appends to a buffer of the caller and allocates nothing itself.
//!
//! ```
//! use obs_core::clock::Timestamp;
//! use obs_core::log::{Line, LineFormat, LineLevel};
//!
//! let (mut out, format) = (Vec::new(), LineFormat::new("orders"));
//! let at = Timestamp::from_unix_millis(1_767_225_600_000);
//! let mut line = Line::begin(&mut out, &format, at, LineLevel::Info, format_args!("placed"), "orders");
//! line.u64("order_id", 7);
//! assert_eq!(
//!     String::from_utf8_lossy(line.finish()),
//!     concat!(
//!         r#"{"timestamp":"2026-01-01T00:00:00.000Z","level":"INFO","message":"placed","#,
//!         r#""target":"orders","service":"orders","order_id":7}"#,
//!         "\n"
//!     )
//! );
//! ```

mod buffer;
mod encode;
mod escape;
mod field_key;
mod fields;
mod flight_recorder;
mod format;
mod head;
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
pub use head::LineHead;
pub use ids::Ids;
pub use level::LineLevel;
pub use line::{Line, TailRoom};
pub(crate) use redact::REDACTED;
pub use redact::{HeaderFields, Redactor};
pub use value::Value;
