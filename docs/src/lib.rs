//! The guides of the suite. Each is mounted as a module, so that its code is compiled and run by
//! `cargo test --package obs-docs`.

#[doc = include_str!("../../README.md")]
pub mod readme {}
