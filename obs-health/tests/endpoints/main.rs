//! The checks, the registry and the endpoints, through the public API.

#![allow(clippy::unwrap_used, reason = "test helpers: what cannot be set up fails the test")]

mod checks;
mod controls;
mod metrics;
mod probes;
mod suite;
mod support;
