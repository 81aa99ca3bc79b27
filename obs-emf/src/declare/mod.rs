//! Metrics, dimensions and shapes, declared once.
//!
//! ```
//! use obs_core::metric::Unit;
//! use obs_emf::declare::Shape;
//!
//! let shape = Shape::builder("Shop").dimension_set(["Channel"]).metric(("Items", Unit::Count)).build()?;
//! assert_eq!(shape.metrics()[0].name(), "Items");
//! # Ok::<(), obs_core::config::ConfigError>(())
//! ```

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
