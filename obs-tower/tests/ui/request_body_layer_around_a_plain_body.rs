//! `RequestBodyLayer` changes the type of the body, and what it encloses must take that: a service
//! for plain bodies does not.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use obs_core::telemetry::Telemetry;
use obs_tower::observe::{ObserveLayer, RequestBodyLayer};
use tower::{Layer, Service, service_fn};

async fn order(_: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::default())
}

fn serve(_: impl Service<Request<Full<Bytes>>>) {}

fn observed(telemetry: Telemetry) {
    serve(ObserveLayer::new(telemetry).layer(RequestBodyLayer.layer(service_fn(order))));
}

fn main() {}
