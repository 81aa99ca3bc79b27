//! What the shop leaves behind: lines and spans, in files under its data folder, and how they are
//! read again and shown.
//!
//! Each process writes `telemetry/{process}.lines.jsonl` and `telemetry/{process}.spans.jsonl`,
//! each rotated by size.

mod exporter;
mod files;
mod kills;
pub(crate) mod lines;
mod span;
pub(crate) mod waterfall;

pub(crate) use exporter::FileExporter;
pub use files::Files;
pub use kills::Kill;
pub use lines::Line;
pub use span::{Link, Span};
