//! The service of the README's first example.

use std::time::Duration;

use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router};
use obs_core::telemetry::Telemetry;
use obs_tower::observe::ObserveLayer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let telemetry = Telemetry::init("orders")?;
    let app =
        Router::new().route("/orders/{id}", get(order)).layer(ObserveLayer::new(telemetry.clone()));

    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    axum::serve(listener, app).with_graceful_shutdown(stop).await?;

    telemetry.shutdown(Duration::from_secs(5));
    Ok(())
}

async fn order(Path(id): Path<u64>) -> Json<u64> {
    tracing::info!(order_id = id, "order read");
    Json(id)
}
