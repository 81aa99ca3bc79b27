//! A call that waits for room takes the ready service along, so the service must be `Clone`.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use obs_tower::bulkhead::{Bulkhead, BulkheadLayer};
use tower::{Layer, Service};

struct Orders;

impl Service<Request<()>> for Orders {
    type Response = Response<Bytes>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::default()))
    }
}

fn serve(_: impl Service<Request<()>>) {}

fn limited(bulkhead: Bulkhead) {
    serve(BulkheadLayer::new(bulkhead).layer(Orders));
}

fn main() {}
