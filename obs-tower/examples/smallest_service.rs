//! The smallest observed service: `cargo run --features axum --example smallest_service`, then
//! `curl -i http://127.0.0.1:8080/orders/7`.

use axum::Router;
use axum::routing::get;
use obs_core::telemetry::Telemetry;
use obs_tower::axum::{Path, Record, not_found};
use obs_tower::observe::ObserveLayer;

async fn order(record: Record, Path(id): Path<u32>) -> String {
    record.record("order_id", id);
    tracing::info!("looked up");
    format!("order {id}\n")
}

pub(crate) fn app(telemetry: Telemetry) -> Router {
    Router::new()
        .route("/orders/{id}", get(order))
        .fallback(not_found)
        // Outermost, so that it sees what every other layer answers.
        .layer(ObserveLayer::new(telemetry))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let telemetry = Telemetry::init("orders")?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, app(telemetry)).await?;
    Ok(())
}
