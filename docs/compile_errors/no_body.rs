//! A service whose responses have no body, behind the layer that observes bodies.

use axum::extract::Request;
use axum::response::Response;
use obs_core::telemetry::Telemetry;
use obs_tower::observe::ObserveLayer;
use tower::{Layer, Service, service_fn};

async fn order(_: Request) -> Result<Response<Vec<u8>>, std::convert::Infallible> {
    Ok(Response::new(b"order 7".to_vec()))
}

fn main() -> Result<(), obs_core::config::ConfigError> {
    let telemetry = Telemetry::builder("orders").build()?;
    serve(ObserveLayer::new(telemetry).layer(service_fn(order)));
    Ok(())
}

fn serve(_: impl Service<Request>) {}
