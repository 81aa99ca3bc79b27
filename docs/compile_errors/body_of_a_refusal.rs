//! A limit before a service whose body cannot be made of bytes, so that it cannot be refused.

use axum::extract::Request;
use axum::response::Response;
use http_body_util::Empty;
use obs_ratelimit::{Limiter, Policy, Quota, RateLimitLayer};
use tower::{Layer, Service, service_fn};

async fn order(_: Request) -> Result<Response<Empty<bytes::Bytes>>, std::convert::Infallible> {
    Ok(Response::new(Empty::new()))
}

fn main() -> Result<(), obs_core::config::ConfigError> {
    let limiter = Limiter::new(Policy::builder("all", Quota::per_second(100)).build()?)?;
    serve(RateLimitLayer::new(limiter).layer(service_fn(order)));
    Ok(())
}

fn serve(_: impl Service<Request>) {}
