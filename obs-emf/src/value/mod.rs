//! Strings and numbers as JSON and CloudWatch both take them.

pub(crate) mod number;
pub(crate) mod piece;
pub(crate) mod text;
