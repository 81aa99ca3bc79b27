//! A body of which nobody knows how to make one for a refused request.

use std::convert::Infallible;

use http::{Request, Response};
use obs_tower::bulkhead::{Bulkhead, BulkheadLayer};
use tower::{Layer, Service, service_fn};

async fn order(_: Request<()>) -> Result<Response<()>, Infallible> {
    Ok(Response::new(()))
}

fn serve(_: impl Service<Request<()>>) {}

fn limited(bulkhead: Bulkhead) {
    serve(BulkheadLayer::new(bulkhead).layer(service_fn(order)));
}

fn main() {}
