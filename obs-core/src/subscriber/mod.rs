//! The `tracing` layers of the suite.

mod child_span;

pub use child_span::ChildSpanLayer;
