//! A refusal by a layer of the suite is recorded with the status on the wire and the name of the
//! layer that made it. Rate limits are tried in the shop, with their own crate.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use obs_core::circuit::CircuitBreaker;
use obs_core::propagate::TrustPolicy;
use obs_tower::bulkhead::{Bulkhead, BulkheadConfig, BulkheadLayer};
use obs_tower::circuit_breaker::CircuitBreakerLayer;
use obs_tower::guard::GuardLayer;
use obs_tower::load_shed::{LoadShed, LoadShedConfig, LoadShedLayer};
use obs_tower::observe::ObserveLayer;
use obs_tower::priority::Priority;
use obs_tower::timeout::{TimeLimiter, TimeoutLayer};
use serde_json::Value;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::Bench;

type Answer = Result<Response<Full<Bytes>>, Infallible>;

fn answering()
-> impl Service<Request<()>, Response = Response<Full<Bytes>>, Error = Infallible, Future: Send> + Clone
{
    service_fn(async |_: Request<()>| Answer::Ok(Response::new(Full::default())))
}

/// Sends a request through the observing layer and `guarded`, and asserts that record, answer and
/// problem agree on who refused it.
async fn is_refused<S>(guarded: S, request: Request<()>, status: u16, outcome: &str)
where
    S: Service<Request<()>, Response = Response<Full<Bytes>>, Error = Infallible>,
{
    let bench = Bench::new();
    let builder = ObserveLayer::builder(bench.telemetry.clone()).trust(TrustPolicy::internal());
    let layer = builder.build().unwrap();
    let response = layer.layer(guarded).oneshot(request).await.unwrap();
    assert_eq!(response.status(), status, "{outcome}");
    let body = http_body_util::BodyExt::collect(response.into_body()).await.unwrap().to_bytes();
    let problem: Value = serde_json::from_slice(&body).unwrap();
    let line = bench.request_line();
    assert_eq!((&line["outcome"], &line["status"]), (&outcome.into(), &status.into()));
    assert_eq!((&problem["code"], &problem["status"]), (&outcome.into(), &status.into()));
    assert_eq!(problem["correlation_id"], line["correlation_id"]);
    assert_eq!((line["Requests"].as_u64(), bench.spans().len()), (Some(1), 1));
}

fn get() -> Request<()> {
    Request::get("/").body(()).unwrap()
}

#[tokio::test]
async fn a_full_bulkhead_is_named() {
    let config = BulkheadConfig::new().max_concurrent_calls(1).max_wait_duration(Duration::ZERO);
    let bulkhead = Bulkhead::builder("orders").config(config).build().unwrap();
    let layer = BulkheadLayer::new(bulkhead.clone());
    let mut pending = layer.layer(service_fn(|_: Request<()>| std::future::pending::<Answer>()));
    let mut running = Box::pin(pending.ready().await.unwrap().call(get()));
    assert!(futures_util::FutureExt::now_or_never(&mut running).is_none());
    is_refused(layer.layer(answering()), get(), 503, "rejected_bulkhead").await;
}

#[tokio::test]
async fn an_open_circuit_breaker_is_named() {
    let breaker = CircuitBreaker::builder("orders").build().unwrap();
    breaker.force_open(None);
    let alone = CircuitBreakerLayer::new(breaker.clone()).layer(answering());
    is_refused(alone, get(), 503, "rejected_circuit_breaker").await;
    let guard = GuardLayer::builder().circuit_breaker(breaker).build();
    is_refused(guard.layer(answering()), get(), 503, "rejected_circuit_breaker").await;
}

#[tokio::test]
async fn a_load_that_is_shed_is_named() {
    let config = LoadShedConfig::new().initial_limit(1).min_limit(1).max_limit(1);
    let shed = LoadShed::builder("orders").config(config).build().unwrap();
    let _running = shed.try_acquire(Priority::Normal).unwrap();
    let layer = LoadShedLayer::new(shed);
    is_refused(layer.layer(answering()), get(), 503, "rejected_load_shed").await;
}

#[tokio::test(start_paused = true)]
async fn a_time_limit_is_named_as_what_it_was() {
    let limiter =
        || TimeLimiter::builder("orders").timeout_duration(Duration::from_secs(1)).build();
    let pending = service_fn(|_: Request<()>| std::future::pending::<Answer>());
    let layer = TimeoutLayer::new(limiter().unwrap());
    is_refused(layer.layer(pending), get(), 504, "deadline_exceeded").await;
    let late = Request::get("/").header("x-request-timeout", "0").body(()).unwrap();
    is_refused(layer.layer(answering()), late, 504, "rejected_deadline").await;
}
