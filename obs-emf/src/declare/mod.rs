//! Metrics, dimensions and shapes, declared once.

mod builder;
pub(crate) mod compile;
mod metric;
pub(crate) mod name;
mod over_budget;
mod shape;
#[cfg(test)]
mod tests;

pub use builder::ShapeBuilder;
pub(crate) use compile::ENVELOPE_END;
pub use metric::{Metric, Resolution};
pub(crate) use over_budget::Members;
pub use over_budget::Overflow;
pub use shape::Shape;
