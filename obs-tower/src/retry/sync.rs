//! The atomics of the budget, so that the model checker can watch them.

#[cfg(obs_loom)]
pub(super) use loom::sync::atomic::{AtomicU64, Ordering};
#[cfg(not(obs_loom))]
pub(super) use std::sync::atomic::{AtomicU64, Ordering};
