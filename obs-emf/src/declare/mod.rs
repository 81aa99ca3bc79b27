//! Metrics, dimensions and shapes, declared once.

pub(crate) mod builder;
mod metric;
pub(crate) mod name;
mod shape;
#[cfg(test)]
mod tests;

pub use builder::ShapeBuilder;
pub use metric::{Metric, Resolution};
pub(crate) use shape::ENVELOPE_END;
pub use shape::Shape;
