//! What must work for a service to be ready, and what may fail.

use std::time::Duration;

use obs_health::check::TcpCheck;
use obs_health::{Dependency, HealthRegistry};
use shop_store::{Database, RedisPool};

use super::{Parts, StartError};
use crate::name::Name;

/// A service without its database cannot work.
pub(super) fn database(database: &Database) -> Dependency {
    let database = database.clone();
    let ping = move || {
        let database = database.clone();
        async move { database.ping().await }
    };
    Dependency::required("database", ping)
}

/// Carts without their Redis cannot be served; `/healthz` says so within 2 s.
pub(super) fn redis(pool: &RedisPool) -> Dependency {
    const EVERY: Duration = Duration::from_millis(900);
    // A Redis that goes right after it was asked is missed by the next question, which waits as long.
    const { assert!(EVERY.as_millis() * 2 <= 2_000) };
    let pool = pool.clone();
    let ping = move || {
        let pool = pool.clone();
        async move { pool.ping().await }
    };
    Dependency::required("redis", ping)
        .interval(EVERY)
        .timeout(EVERY)
        .failure_threshold(1)
        .startup_grace(Duration::ZERO)
        .wait_duration_in_open_state(EVERY, EVERY * 2)
}

pub(super) fn registry(
    parts: &Parts<'_>,
    dependencies: Vec<Dependency>,
    peers: &[Name],
) -> Result<HealthRegistry, StartError> {
    let mut health = HealthRegistry::builder(parts.name.as_str())
        .version(env!("CARGO_PKG_VERSION"))
        .environment(parts.plan.environment.clone())
        .controls(parts.telemetry.controls().clone());
    for dependency in dependencies {
        health = health.dependency(dependency);
    }
    for peer in peers {
        let check = TcpCheck::new(parts.addresses.of(*peer)?.to_string());
        health = health.dependency(Dependency::optional(peer.as_str(), check));
    }
    Ok(health.build()?)
}
