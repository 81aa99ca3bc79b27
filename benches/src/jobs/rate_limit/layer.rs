//! What the layer adds to a service that answers at once.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::pin::pin;
use std::task::{Context, Waker};

use axum::body::Body;
use http::{HeaderValue, Request, Response};
use obs_ratelimit::{Headers, Limiter, Quota, RateLimitLayer};
use tower_layer::{Identity, Layer};
use tower_service::Service;

use super::{HOT, ONE, PLENTY, TENANT, limiter, policy};
use crate::Job;

const BARE: &str = "rate_limit/bare";

pub(super) fn jobs() -> Vec<Job> {
    let layer = |quota, headers| RateLimitLayer::new(small(quota, headers));
    vec![
        Job::new(BARE, || through(Identity::new())),
        Job::new("rate_limit/layer", move || through(layer(PLENTY, Headers::none())))
            .beyond(BARE)
            .within(10_000, 100),
        Job::new("rate_limit/layer_with_headers", move || {
            through(layer(PLENTY, Headers::default()))
        })
        .beyond(BARE)
        .within(10_000, 400),
        Job::new("rate_limit/layer_denied", move || through(layer(ONE, Headers::none())))
            .beyond(BARE)
            .within(10_000, 400),
    ]
}

fn small(quota: Quota, headers: Headers) -> Limiter {
    limiter(policy(quota).max_keys(1_024), headers)
}

/// Requests of one tenant through a layer, with their building and dropping.
pub(in crate::jobs) fn through<L>(layer: L) -> impl FnMut(u64)
where
    L: Layer<Done>,
    L::Service: Service<Request<Body>, Error = Infallible>,
{
    let mut service = layer.layer(Done);
    let mut context = Context::from_waker(Waker::noop());
    move |times| {
        for _ in 0..times {
            let mut request = Request::new(Body::empty());
            request.headers_mut().insert(TENANT, HeaderValue::from_static(HOT));
            let _ = std::hint::black_box(service.poll_ready(&mut context));
            let call = pin!(service.call(request));
            let _ = std::hint::black_box(call.poll(&mut context));
        }
    }
}

/// Answers at once with nothing.
#[derive(Clone, Copy, Debug)]
pub(in crate::jobs) struct Done;

impl Service<Request<Body>> for Done {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
        std::task::Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        ready(Ok(Response::new(Body::empty())))
    }
}
