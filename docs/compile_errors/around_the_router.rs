//! A layer around the router, where axum wants a router.

use axum::extract::Request;
use axum::routing::get;
use axum::{Router, ServiceExt};
use obs_core::telemetry::Telemetry;
use obs_tower::observe::ObserveLayer;
use tower::Layer;

async fn serve(listener: tokio::net::TcpListener, telemetry: Telemetry) {
    let router = Router::new().route("/orders", get(async || "[]"));
    let app = ObserveLayer::new(telemetry).layer(router);
    let app = ServiceExt::<Request>::into_make_service(app);
    let _ = axum::serve(listener, app);
}

fn main() {
    let _ = serve;
}
