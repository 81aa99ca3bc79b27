//! The ids of a request: trace, span and correlation.
//!
//! Ids are small values. Reading and writing them allocates nothing: text comes out as [`Ascii`],
//! which lives on the stack.
//!
//! ```
//! use obs_core::clock::ManualClock;
//! use obs_core::id::{IdGenerator, TraceId};
//!
//! let clock = ManualClock::default().clock();
//! let ids = IdGenerator::seeded(7);
//! let trace_id = ids.trace_id(&clock);
//! assert_eq!(TraceId::from_hex(&trace_id.to_hex()), Some(trace_id));
//! assert_eq!(TraceId::from_xray(&trace_id.to_xray()), Some(trace_id));
//! ```

mod ascii;
mod correlation;
mod generator;
pub(crate) mod hex;
mod span_id;
mod trace_id;

pub use ascii::Ascii;
pub use correlation::CorrelationId;
pub use generator::IdGenerator;
pub use span_id::SpanId;
pub use trace_id::TraceId;
