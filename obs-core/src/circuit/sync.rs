//! The atomics and locks of the breaker, so that the model checker can watch them.

#[cfg(obs_loom)]
pub(crate) use loom::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicI32, AtomicU8, AtomicU32, AtomicU64, Ordering, fence},
};
#[cfg(not(obs_loom))]
pub(crate) use std::sync::{
    Mutex, MutexGuard,
    atomic::{AtomicI32, AtomicU8, AtomicU32, AtomicU64, Ordering, fence},
};

use std::sync::PoisonError;

/// Locks even if a thread panicked with the lock held: what it guards is valid at every step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
