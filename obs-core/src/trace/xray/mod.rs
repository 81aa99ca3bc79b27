//! Spans to the X-Ray daemon: segment documents over UDP.

mod address;
mod clean;
mod document;
mod exporter;
mod facts;
mod fields;
#[cfg(any(test, feature = "test-util"))]
pub mod invariants;
mod reduce;
#[cfg(any(test, feature = "test-util"))]
mod rules;

pub use address::DaemonAddress;
pub use document::{MAX_DOCUMENT_BYTES, SegmentEncoder};
pub use exporter::XrayExporter;
pub(super) use facts::origin;
