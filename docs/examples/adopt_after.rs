//! An axum service after it is observed: where the guide for existing services ends.

use std::time::Duration;

use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router};
use obs_core::circuit::CircuitBreaker;
use obs_core::telemetry::{Telemetry, shutdown_signal};
use obs_health::{Dependency, HealthRegistry, drain::Drain};
use obs_ratelimit::{Key, Limiter, Policy, Quota, RateLimitLayer};
use obs_tower::{circuit_breaker::CircuitBreakerLayer, observe::ObserveLayer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let telemetry = Telemetry::init("orders")?;
    let health = HealthRegistry::builder("orders")
        .environment(telemetry.environment().clone())
        .controls(telemetry.controls().clone())
        .dependency(Dependency::required("database", async || Ok::<(), std::io::Error>(())))
        .build()?;
    let _checks = health.start();
    let limit = Policy::builder("tenant", Quota::per_second(100)).key(Key::tenant()).build()?;
    let breaker = CircuitBreaker::builder("orders").controls(telemetry.controls()).build()?;

    let app = Router::new()
        .route("/orders/{id}", get(order))
        .layer(CircuitBreakerLayer::new(breaker))
        .layer(RateLimitLayer::new(Limiter::new(limit)?))
        .merge(health.router())
        .layer(ObserveLayer::new(telemetry.clone()));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    let stop = async { drop(shutdown_signal().await) };
    obs_health::serve(listener, app, &health, Drain::ecs(), stop).await?;
    telemetry.shutdown(Duration::from_secs(5));
    Ok(())
}

async fn order(Path(id): Path<u64>) -> Json<u64> {
    tracing::info!(order_id = id, "order read");
    Json(id)
}
