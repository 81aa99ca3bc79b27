//! One tower layer for logs, metrics and traces, and the service-mesh patterns beside it.

#[cfg(feature = "circuit-breaker")]
pub mod circuit_breaker;
pub mod classify;
#[cfg(feature = "client")]
pub mod client;
pub mod deadline;
#[cfg(any(feature = "observe", feature = "client"))]
mod exchange;
#[cfg(feature = "timeout")]
mod knob;
#[cfg(feature = "observe")]
pub mod observe;
pub mod reject;
#[cfg(feature = "timeout")]
pub mod timeout;
#[cfg(feature = "circuit-breaker")]
mod unwind;
#[cfg(test)]
#[cfg(feature = "timeout")]
mod virtual_time;
