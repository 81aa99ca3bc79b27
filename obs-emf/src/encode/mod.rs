//! From values to bytes.

mod record;
mod series;
mod tail;
#[cfg(test)]
mod tests;

pub use record::Record;
pub use series::Series;
pub use tail::{ABSENT, Extra, Tail};
