//! A retry needs the service again, so the service must be `Clone`.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use obs_tower::retry::{ReplayBody, Retry, RetryLayer};
use tower::{Layer, Service};

struct Inventory;

impl Service<Request<ReplayBody<Full<Bytes>>>> for Inventory {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<ReplayBody<Full<Bytes>>>) -> Self::Future {
        ready(Ok(Response::default()))
    }
}

fn call(_: impl Service<Request<Full<Bytes>>>) {}

fn retried(retry: Retry) {
    call(RetryLayer::new(retry).layer(Inventory));
}

fn main() {}
