//! One tower layer for logs, metrics and traces, and the service-mesh patterns beside it.

#[cfg(feature = "circuit-breaker")]
pub mod circuit_breaker;
pub mod classify;
pub mod deadline;
pub mod reject;
#[cfg(feature = "circuit-breaker")]
mod unwind;
