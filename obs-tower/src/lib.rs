//! One tower layer for logs, metrics and traces, and the service-mesh patterns beside it.

#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "bulkhead")]
pub mod bulkhead;
#[cfg(feature = "circuit-breaker")]
pub mod circuit_breaker;
pub mod classify;
#[cfg(feature = "client")]
pub mod client;
pub mod deadline;
#[cfg(any(feature = "observe", feature = "client", feature = "message", feature = "lambda"))]
#[cfg_attr(
    not(all(feature = "observe", feature = "client", feature = "message")),
    allow(dead_code, unused_imports, reason = "each feature uses a part of it")
)]
mod exchange;
#[cfg(feature = "fallback")]
pub mod fallback;
#[cfg(feature = "guard")]
pub mod guard;
#[cfg(any(feature = "bulkhead", feature = "load-shed", feature = "retry", feature = "timeout"))]
mod knob;
#[cfg(feature = "lambda")]
pub mod lambda;
#[cfg(feature = "load-shed")]
pub mod load_shed;
#[cfg(feature = "message")]
pub mod message;
#[cfg(feature = "observe")]
pub mod observe;
pub mod priority;
pub mod reject;
#[cfg(feature = "retry")]
pub mod retry;
#[cfg(feature = "timeout")]
pub mod timeout;
#[cfg(feature = "circuit-breaker")]
mod unwind;
#[cfg(test)]
#[cfg(any(feature = "bulkhead", feature = "retry", feature = "timeout"))]
mod virtual_time;
#[cfg(any(feature = "message", feature = "lambda"))]
mod work;
