//! The observing layers, seen from outside: what a request leaves behind, and that the client
//! never notices.
#![cfg(all(feature = "observe", feature = "client"))]
#![allow(clippy::unwrap_used, reason = "they are tests")]

mod exits;
mod storm;
mod support;
mod switches;
