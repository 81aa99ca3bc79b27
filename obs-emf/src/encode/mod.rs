//! From values to bytes.

pub(crate) mod number;
mod record;
mod series;
mod tail;
#[cfg(test)]
mod tests;
pub(crate) mod text;

pub use record::Record;
pub use series::Series;
pub use tail::{ABSENT, Extra, Tail};
