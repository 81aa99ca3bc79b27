//! Leases: a node takes tokens from the store ahead of need and spends them at the price of a
//! local limit.
//!
//! What is here does no I/O and owns no task: a [`Plane`] decides, says which calls it wants made,
//! and is told their results. The engine makes the calls on tokio, the simulator in virtual time.

mod bound;
mod cell;
mod config;
mod plane;

pub use bound::Bound;
#[cfg(feature = "shared")]
pub(crate) use bound::share;
pub(crate) use cell::{Fallback, Step};
pub use config::{LeaseConfig, OnStoreFailure};
pub(crate) use plane::{Ask, Plane};
