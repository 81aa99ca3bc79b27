//! Spans to the X-Ray daemon: segment documents over UDP.

mod address;
mod clean;
mod document;
mod exporter;
mod facts;
mod fields;
mod reduce;
#[cfg(test)]
mod rules;

pub use address::DaemonAddress;
pub use document::{MAX_DOCUMENT_BYTES, SegmentEncoder};
pub use exporter::XrayExporter;
