//! From values to bytes.
//!
//! ```
//! use obs_core::clock::Timestamp;
//! use obs_core::metric::Unit;
//! use obs_emf::encode::Record;
//! use obs_emf::Shape;
//!
//! let shape = Shape::builder("Shop").dimension_set(["Channel"]).metric(("Items", Unit::Count)).build()?;
//! let record = Record::new(&shape, Timestamp::from_unix_millis(0)).dimensions(&["web"]).values(&[3.0]);
//! assert_eq!(record.points(), 1);
//! # Ok::<(), obs_core::config::ConfigError>(())
//! ```

mod record;
mod series;
mod tail;
#[cfg(test)]
mod tests;

pub use record::Record;
pub use series::Series;
pub use tail::{ABSENT, Extra, Tail};
