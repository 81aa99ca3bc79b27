//! The patterns seen from outside: what tower asks of every layer, the books that are kept of every
//! call, the layers stacked in every order, and operators who
//! change them at once.
#![allow(clippy::unwrap_used, reason = "they are tests")]

mod contract;
mod control;
mod deadline;
mod order;
mod support;
