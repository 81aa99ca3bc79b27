//! Every example does what its first lines say. Those for Lambda are run by the test `lambda`.

#![allow(clippy::unwrap_used, reason = "they are tests")]

#[path = "../../examples/existing_subscriber.rs"]
#[allow(dead_code, reason = "the test does not run its `main`")]
mod existing_subscriber;
#[path = "../../examples/grpc_trailers.rs"]
#[allow(dead_code, reason = "the test does not run its `main`")]
mod grpc_trailers;
#[path = "../../examples/smallest_service.rs"]
#[allow(dead_code, reason = "the test does not run its `main`")]
mod smallest_service;
#[path = "../../examples/sqs_worker.rs"]
#[allow(dead_code, reason = "the test does not run its `main`")]
mod sqs_worker;
#[path = "../../examples/streaming.rs"]
#[allow(dead_code, reason = "the test does not run its `main`")]
mod streaming;

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use obs_core::clock::ManualClock;
use obs_core::environment::Environment;
use obs_core::output::{Capture, Output};
use obs_core::subscriber::ObsLayer;
use obs_core::telemetry::Telemetry;
use serde_json::{Value, json};
use tower::ServiceExt;
use tracing_subscriber::prelude::*;

fn telemetry(service: &str) -> (Telemetry, Lines) {
    let (output, capture) = Output::captured();
    let telemetry = Telemetry::builder(service)
        .environment(Environment::empty())
        .clock(ManualClock::default().clock())
        .output(output)
        .build()
        .unwrap();
    (telemetry.clone(), Lines(telemetry, capture))
}

/// What a telemetry has written.
struct Lines(Telemetry, Capture);

impl Lines {
    fn read(&self) -> Vec<Value> {
        assert!(self.0.flush(Duration::from_secs(10)));
        self.1.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn the_smallest_service_answers_and_leaves_a_line() {
    let (telemetry, lines) = telemetry("orders");
    let app = smallest_service::app(telemetry);
    let response = app.clone().oneshot(get("/orders/7")).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "order 7\n");
    let response = app.oneshot(get("/nowhere")).await.unwrap();
    assert_eq!(response.status(), 404);
    response.into_body().collect().await.unwrap();
    let lines = lines.read();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["route"], &lines[0]["order_id"]), (&"/orders/{id}".into(), &7.into()));
    assert_eq!(lines[1]["status"], 404);
}

#[tokio::test(start_paused = true)]
async fn the_stream_leaves_its_line_after_three_seconds_and_goes_on() {
    let (telemetry, lines) = telemetry("ticker");
    let app = streaming::app(telemetry).unwrap();
    let mut body = app.oneshot(get("/ticks")).await.unwrap().into_body();
    let mut ticks = async |count: usize| {
        for _ in 0..count {
            let tick = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(tick, "tick\n");
        }
    };
    // The first comes at once, and each of the others after a second.
    ticks(3).await;
    assert!(lines.read().is_empty());
    ticks(2).await;
    let line = &lines.read()[0];
    assert_eq!((&line["held"], &line["outcome"]), (&true.into(), &"success".into()));
    ticks(3).await;
    assert_eq!(lines.read().len(), 1);
}

#[tokio::test]
async fn the_record_of_a_grpc_answer_says_what_its_trailers_say() {
    let (telemetry, lines) = telemetry("greeter");
    let trailers = grpc_trailers::call(telemetry).await.unwrap().unwrap();
    assert_eq!(trailers["grpc-status"], "5");
    let line = &lines.read()[0];
    assert_eq!((&line["status"], &line["grpc_status"]), (&200.into(), &"NOT_FOUND".into()));
    assert_eq!(line["outcome"], "client_error");
}

#[tokio::test]
async fn the_worker_has_the_failed_message_delivered_again() {
    let (telemetry, lines) = telemetry("billing");
    let response = sqs_worker::work(&telemetry).await.unwrap();
    assert_eq!(response, json!({ "batchItemFailures": [{ "itemIdentifier": "m-2" }] }));
    let lines = lines.read();
    let outcomes: Vec<_> = lines.iter().map(|line| &line["outcome"]).collect();
    assert_eq!(outcomes, ["success", "service_error"]);
    assert_eq!(lines[0]["trace_id"], "5759e988bd862e3fe1be46a994272793");
}

/// What the subscriber of the process has printed.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl io::Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_event_is_seen_by_the_subscriber_that_was_there_and_by_the_suites_layer() {
    let (telemetry, lines) = telemetry("orders");
    let printed = Printed::default();
    let writer = printed.clone();
    let subscriber = tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_ansi(false).with_writer(move || writer.clone()))
        .with(ObsLayer::new());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    tracing::subscriber::with_default(subscriber, || {
        assert_eq!(runtime.block_on(existing_subscriber::serve(telemetry)).unwrap(), "ok");
    });
    let printed = String::from_utf8(printed.0.lock().unwrap().clone()).unwrap();
    assert!(printed.contains("placed items=3"), "{printed}");
    let lines = lines.read();
    assert_eq!((&lines[0]["message"], &lines[0]["items"]), (&"placed".into(), &3.into()));
    assert_eq!(lines[1]["message"], "request completed");
    assert_eq!(lines[0]["correlation_id"], lines[1]["correlation_id"]);
}
