//! A response whose body is none: bytes alone do not say when they end.

use std::convert::Infallible;

use http::{Request, Response};
use obs_core::telemetry::Telemetry;
use obs_tower::observe::ObserveLayer;
use tower::{Layer, Service, service_fn};

async fn order(_: Request<()>) -> Result<Response<Vec<u8>>, Infallible> {
    Ok(Response::new(b"order 7".to_vec()))
}

fn serve(_: impl Service<Request<()>>) {}

fn observed(telemetry: Telemetry) {
    serve(ObserveLayer::new(telemetry).layer(service_fn(order)));
}

fn main() {}
