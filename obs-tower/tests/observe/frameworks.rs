//! The layer under axum and hyper-util, unchanged, over real connections where it matters.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use obs_core::metric::{Descriptor, Unit};
use obs_tower::axum::{Json, Path, Query, Record, method_not_allowed, not_found};
use obs_tower::observe::{BodyLogging, ObserveLayer};
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{Bench, Script, Step};
use crate::wire::Wire;

static ITEMS: Descriptor = Descriptor::new("Items", Unit::Count, "Items in an order");

#[derive(serde::Deserialize)]
struct Order {
    items: u64,
}

async fn place(record: Record, Json(order): Json<Order>) -> StatusCode {
    record.record("payment", "invoice");
    record.metric(&ITEMS, order.items as f64);
    record.set_tenant_id("acme");
    StatusCode::CREATED
}

fn app(layer: ObserveLayer) -> Router {
    Router::new()
        .route("/orders", post(place))
        .route("/orders/{id}", get(async |Path(id): Path<u32>| format!("order {id}")))
        .route("/search", get(async |Query(_): Query<Order>| "found"))
        .route("/panic", get(async || if true { panic!("handler") } else { "" }))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(layer)
}

fn json(body: impl Into<Body>) -> Request<Body> {
    let request = Request::post("/orders").header("content-type", "application/json");
    request.body(body.into()).unwrap()
}

fn request(method: &str, path: &str) -> Request<Body> {
    Request::builder().method(method).uri(path).body(Body::empty()).unwrap()
}

/// What the client gets, and the one line that is left.
async fn exchange(request: Request<Body>) -> (Response<Bytes>, Value) {
    let bench = Bench::new();
    let app = app(ObserveLayer::new(bench.telemetry.clone()));
    let (parts, body) = app.oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (Response::from_parts(parts, bytes), bench.request_line())
}

#[tokio::test]
async fn a_handler_adds_fields_metrics_and_the_tenant_to_its_record() {
    let (response, line) = exchange(json(r#"{"items":3}"#)).await;
    assert_eq!(response.status(), StatusCode::CREATED);
    assert_eq!((&line["payment"], &line["tenant_id"]), (&"invoice".into(), &"acme".into()));
    assert_eq!((&line["Items"], &line["Requests"]), (&3.into(), &1.into()));
    assert!(line["_aws"].to_string().contains(r#""Name":"Items""#));
}

#[tokio::test]
async fn the_route_is_the_path_that_axum_matched() {
    let (_, line) = exchange(request("GET", "/orders/7")).await;
    assert_eq!((&line["route"], &line["Route"]), (&"/orders/{id}".into(), &"/orders/{id}".into()));
    assert_eq!(line["status"], 200);
}

#[tokio::test]
async fn every_refusal_is_a_problem_with_its_status_and_one_truthful_line() {
    let cases = [
        (json("{"), 400, "/orders"),
        (json(r#"{"items":-1}"#), 422, "/orders"),
        (json(vec![b' '; 3 << 20]), 413, "/orders"),
        (request("POST", "/orders"), 415, "/orders"),
        (request("GET", "/orders"), 405, "/orders"),
        (request("GET", "/orders/x"), 400, "/orders/{id}"),
        (request("GET", "/search?items=x"), 400, "/search"),
        (request("GET", "/nowhere"), 404, "__unmatched__"),
        (request("GET", "/panic"), 500, "/panic"),
    ];
    for (request, status, route) in cases {
        let (response, line) = exchange(request).await;
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let problem: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["correlation_id"], line["correlation_id"]);
        let echoed = response.headers()["x-correlation-id"].to_str().unwrap();
        assert_eq!(line["correlation_id"], echoed);
        assert_eq!((&line["status"], &line["route"]), (&status.into(), &route.into()));
        assert_eq!(response.headers().contains_key("allow"), status == 405);
    }
}

#[tokio::test]
async fn without_the_layer_a_handler_that_wants_a_record_is_told() {
    let app = Router::<()>::new().route("/", get(async |_: Record| ""));
    let response = app.oneshot(request("GET", "/")).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert!(String::from_utf8_lossy(&body).contains("ObserveLayer"));
}

#[tokio::test]
async fn bodies_of_axum_are_logged_without_a_further_layer() {
    let bench = Bench::new();
    let builder = ObserveLayer::builder(bench.telemetry.clone());
    let layer = builder.log_request_body(BodyLogging::default()).build().unwrap();
    let response = app(layer).oneshot(json(r#"{"items":3}"#)).await.unwrap();
    response.into_body().collect().await.unwrap();
    let line = bench.request_line();
    assert_eq!(
        (&line["request_body"], &line["request_bytes"]),
        (&r#"{"items":3}"#.into(), &11.into())
    );
}

/// Sends raw bytes to an echo with the layer, which hyper-util serves, and reads until it closes.
async fn over_the_wire(bench: &Bench, request: &[u8]) -> String {
    let layer = ObserveLayer::new(bench.telemetry.clone());
    let service = layer.layer(service_fn(async |request: Request<hyper::body::Incoming>| {
        let body = Full::new(request.into_body().collect().await.unwrap().to_bytes());
        Ok::<_, Infallible>(Response::new(body))
    }));
    let mut wire = Wire::to(service).await;
    wire.send(request).await;
    String::from_utf8(wire.read_to_end().await).unwrap()
}

#[tokio::test]
async fn the_layer_runs_over_hyper_util_with_the_body_that_hyper_brings() {
    let bench = Bench::new();
    let request =
        b"POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello";
    let answer = over_the_wire(&bench, request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("hello"), "{answer}");
    let line = bench.request_line();
    assert_eq!((&line["outcome"], &line["status"]), (&"success".into(), &200.into()));
    assert_eq!((&line["request_bytes"], &line["response_bytes"]), (&5.into(), &5.into()));
    assert!(answer.contains(line["correlation_id"].as_str().unwrap()));
}

#[tokio::test]
async fn a_head_request_over_the_wire_is_a_success() {
    let bench = Bench::new();
    let request = b"HEAD / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    over_the_wire(&bench, request).await;
    assert_eq!(bench.request_line()["outcome"], "success");
}

#[tokio::test]
async fn a_client_that_hangs_up_over_the_wire_is_told_apart_by_when_it_did() {
    for (path, outcome) in [("wait", "cancelled_before_headers"), ("stall", "cancelled_in_body")] {
        let bench = Bench::new();
        let layer = ObserveLayer::new(bench.telemetry.clone());
        let (arrived, mut arrivals) = tokio::sync::mpsc::channel::<()>(1);
        let service = layer.layer(service_fn(move |request: Request<hyper::body::Incoming>| {
            let arrived = arrived.clone();
            async move {
                arrived.send(()).await.unwrap();
                if request.uri().path() == "/wait" {
                    std::future::pending::<()>().await;
                }
                let steps = [Step::Data(b"part"), Step::Stall];
                Ok::<_, Infallible>(Response::new(Script::new(steps)))
            }
        }));
        let mut wire = Wire::to(service).await;
        wire.send(format!("GET /{path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await;
        arrivals.recv().await.unwrap();
        if path == "stall" {
            wire.read_until("part").await;
        }
        assert_eq!(layer.in_flight().count(), 1);
        wire.close().await;
        assert_eq!(bench.request_line()["outcome"], outcome);
        assert_eq!((bench.spans().len(), layer.in_flight().count()), (1, 0));
    }
}
