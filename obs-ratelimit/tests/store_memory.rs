//! The memory store under the suite that judges every store.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::sync::Arc;

use obs_core::clock::Clock;
use obs_ratelimit::MemoryStore;

async fn store() -> support::conformance::Subject {
    Arc::new(MemoryStore::new(Clock::system(), 1_024))
}

store_conformance!(store());
