//! The observing layers, seen from outside: what a request leaves behind, and that the client
//! never notices.
#![cfg(all(feature = "observe", feature = "client"))]

mod exits;
mod storm;
mod support;
mod switches;
