//! How often the observing layer allocates for one request, beyond a layer that passes through.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, reason = "they are tests")]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::BodyExt;
use obs_core::environment::Environment;
use obs_core::output::Output;
use obs_core::telemetry::Telemetry;
use obs_core::trace::{ExportReport, Sampler, SpanExporter, SpanRecord};
use obs_tower::observe::ObserveLayer;
use tower::{Service, ServiceExt};

/// Keeps nothing.
#[derive(Debug)]
struct Nowhere;

impl SpanExporter for Nowhere {
    fn export(&mut self, spans: &[SpanRecord], _: Duration) -> ExportReport {
        ExportReport::new().exported(spans.len())
    }
}

fn telemetry(sampler: Sampler) -> Telemetry {
    Telemetry::builder("orders")
        .environment(Environment::empty())
        .output(Output::writer(std::io::sink()))
        .sampler(sampler)
        .span_exporter(Nowhere)
        .build()
        .unwrap()
}

async fn order() -> Response<Body> {
    let mut response = Response::new(Body::from(Bytes::from_static(br#"{"order_id":7}"#)));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert("content-type", json);
    response
}

fn router() -> Router {
    Router::new().route("/orders/{id}", get(order))
}

/// What a browser behind a load balancer sends.
fn request() -> Request<Body> {
    Request::get("/orders/7")
        .header("host", "shop.example")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/145.0")
        .header("accept", "application/json")
        .header("x-amzn-trace-id", "Root=1-691fb3c0-4bf92f3577b34da6a3ce929d")
        .body(Body::empty())
        .unwrap()
}

/// Allocations of the calling thread for one request, once everything has its working size.
fn allocations(app: Router) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut service = app.into_service::<Body>();
    let mut serve = || {
        runtime.block_on(async {
            let request = request();
            let response = service.ready().await.unwrap().call(request).await.unwrap();
            response.into_body().collect().await.unwrap()
        });
    };
    (0..500).for_each(|_| serve());
    // The least of many: a header block or a queue may just grow in one of them.
    (0..50).map(|_| allocation_counter::measure(&mut serve).count_total).min().unwrap()
}

fn added_by(sampler: Sampler) -> u64 {
    let passing = allocations(router().layer(PassingLayer::default()));
    let observed = allocations(router().layer(ObserveLayer::new(telemetry(sampler))));
    observed - passing
}

/// A layer that passes everything on. It has a state, as every layer that does something has:
/// axum boxes a clone of the layer for each request, which costs nothing for one of no size.
#[derive(Clone, Default)]
struct PassingLayer(#[allow(dead_code, reason = "it only takes up space")] Arc<u64>);

impl<S> tower::Layer<S> for PassingLayer {
    type Service = Passing<S>;

    fn layer(&self, inner: S) -> Passing<S> {
        Passing(inner)
    }
}

/// A service that passes everything on.
#[derive(Clone)]
struct Passing<S>(S);

impl<S: Service<R>, R> Service<R> for Passing<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(
        &mut self,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.0.call(request)
    }
}

#[test]
fn a_request_that_is_not_sampled_costs_two_allocations_at_most() {
    // 1. The context of the request, which handlers may keep.
    // 2. The box in which axum puts the response's body, whose type the layer has changed.
    let added = added_by(Sampler::always_off());
    assert!(added <= 2, "{added}");
}

#[test]
fn a_sampled_request_costs_three_allocations_at_most() {
    // 3. The box in which what is known of it waits for the exporter, who makes a span of it.
    let added = added_by(Sampler::always_on());
    assert!(added <= 3, "{added}");
}

#[test]
fn the_telemetry_of_the_test_records_spans() {
    let telemetry = telemetry(Sampler::always_on());
    allocations(router().layer(ObserveLayer::new(telemetry.clone())));
    assert!(telemetry.flush(Duration::from_secs(10)));
    let ledger = telemetry.report().spans;
    assert_eq!(ledger.created, ledger.exported);
    assert!(ledger.exported >= 550);
}
