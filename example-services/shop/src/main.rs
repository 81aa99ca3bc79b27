//! The shop: every service in one binary.
fn main() {}
