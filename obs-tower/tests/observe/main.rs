//! The observing layers, seen from outside: what a request leaves behind, and that the client
//! never notices.
#![cfg(all(feature = "observe", feature = "client"))]
#![allow(clippy::unwrap_used, reason = "they are tests")]

mod client;
mod contract;
mod exits;
#[cfg(feature = "axum")]
mod frameworks;
#[cfg(feature = "axum")]
mod grpc;
mod hostile;
#[cfg(feature = "axum")]
mod long_lived;
#[cfg(all(feature = "axum", feature = "retry"))]
mod outgoing;
#[cfg(feature = "guard")]
mod refusals;
mod storm;
mod support;
mod switches;
#[cfg(feature = "axum")]
mod unchanged;
#[cfg(feature = "axum")]
mod wire;
#[cfg(feature = "message")]
mod work;
