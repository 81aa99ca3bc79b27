//! A service that answers with something other than a response.

use std::convert::Infallible;

use http::Request;
use obs_core::telemetry::Telemetry;
use obs_tower::observe::ObserveLayer;
use tower::{Layer, Service, service_fn};

async fn order(_: Request<()>) -> Result<String, Infallible> {
    Ok("order 7".to_owned())
}

fn serve(_: impl Service<Request<()>>) {}

fn observed(telemetry: Telemetry) {
    serve(ObserveLayer::new(telemetry).layer(service_fn(order)));
}

fn main() {}
