//! The patterns seen from outside: what tower asks of every layer, the books that are kept of every
//! call, and the layers stacked in every order.
#![allow(clippy::unwrap_used, reason = "they are tests")]

mod contract;
mod deadline;
mod order;
mod support;
