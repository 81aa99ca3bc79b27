//! Load over real sockets: the same service bare, observed and behind the whole chain, each in a
//! process of its own on 127.0.0.1, called in turn over connections that are kept.
//!
//! Callers wait for each answer before they send the next request, so a slow service lowers the
//! rate; latencies are those that such a caller sees.

mod caller;
mod campaign;
mod measured;
mod process;
mod report;
mod server;
#[cfg(test)]
mod tests;
mod variant;
mod wrk;

pub use caller::{Until, call};
pub use campaign::{Campaign, Outcome, Round, SlowSink};
pub use measured::Measured;
pub use process::{Look, Server};
pub use report::{faults, json, render};
pub use server::serve;
pub use variant::Variant;
