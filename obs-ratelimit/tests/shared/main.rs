//! Limits that a fleet shares, through the public interface, in paused time.

#![cfg(feature = "shared")]
#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[path = "../support/mod.rs"]
mod support;

mod costs;
mod operator;
mod places;
mod rates;
mod windows;

use std::sync::Arc;

use obs_core::admit::{Admission, Admit};
use obs_core::clock::ManualClock;
use obs_ratelimit::{Key, LeaseConfig, Limiter, Policy, Quota, Store};
use support::request;

const SECRET: [u8; 16] = *b"of the one fleet";

/// A node of the fleet; `strict` or leased.
fn node(
    clock: &ManualClock,
    store: Arc<dyn Store>,
    quota: Quota,
    strict: bool,
    config: LeaseConfig,
) -> Limiter {
    let policy = Policy::builder("tenant", quota).key(Key::tenant()).max_keys(64);
    let policy = if strict { policy.strict(store, config) } else { policy.leased(store, config) };
    let builder = Limiter::builder().clock(clock.clock()).fleet_secret(SECRET);
    builder.policy(policy.build().unwrap()).build().unwrap()
}

async fn admission(limiter: &Limiter, tenant: &str) -> Admission {
    match limiter.admit(&request(tenant)) {
        Admission::Pending(pending) => pending.await,
        decided => decided,
    }
}

async fn passes(limiter: &Limiter, tenant: &str) -> bool {
    matches!(admission(limiter, tenant).await, Admission::Admitted(_))
}
