//! A retry hands on bodies that it can send again, and what it encloses must take those: a service
//! for plain bodies does not.

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use obs_tower::retry::{Retry, RetryLayer};
use tower::{Layer, Service, service_fn};

async fn send(_: Request<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(Response::default())
}

fn call(_: impl Service<Request<Full<Bytes>>>) {}

fn retried(retry: Retry) {
    call(RetryLayer::new(retry).layer(service_fn(send)));
}

fn main() {}
