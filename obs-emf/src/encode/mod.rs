//! From values to bytes.

pub(crate) mod number;
mod tail;
pub(crate) mod text;

pub use tail::{ABSENT, Extra, Tail};
