//! Whatever is sent and whatever goes wrong in telemetry, a client reads the bytes that it would
//! read without the layer.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderName, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use obs_core::output::Output;
use obs_tower::observe::{BodyLogging, ObserveLayer};
use tower::{Layer, service_fn};

use crate::hostile::{Dead, Stuck};
use crate::support::Bench;
use crate::wire::Wire;

/// Answers with what it was asked, so that a change of the request shows too.
async fn describe(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let mut text = format!("{} {:?} {:?}\n", parts.method, parts.uri, parts.version);
    for (name, value) in &parts.headers {
        let checksum: u64 = value.as_bytes().iter().map(|byte| u64::from(*byte)).sum();
        text += &format!("{name}: {} bytes, {checksum}\n", value.len());
    }
    text += &format!("{:?}", body.collect().await.map(|body| body.to_bytes()).ok());
    let response = Response::builder().status(202).header("content-type", "text/plain");
    Ok(response.body(Full::new(text.into())).unwrap())
}

fn requests() -> Vec<Vec<u8>> {
    let get = |target: &[u8], headers: &[u8]| {
        let start: [&[u8]; 5] =
            [b"GET ", target, b" HTTP/1.1\r\nhost: x\r\n", headers, b"connection: close\r\n\r\n"];
        start.concat()
    };
    let mut large = b"x-large: ".to_vec();
    large.extend(std::iter::repeat_n(b'x', 1 << 20));
    large.extend_from_slice(b"\r\n");
    vec![
        get(b"/orders/7?full", b""),
        get(b"/\xff\xfe?q=\xf0\x28", b""),
        get(b"/%ff%fe?q=%f0%28", b""),
        get(b"/", &large),
        get(b"/", b"user-agent: \xff\xfe agent\r\nx-correlation-id: a\xffb\r\nx-raw: \xc3\x28\r\n"),
        get(b"/", b"traceparent: 00-zz-zz-01\r\nbaggage: ====\r\nx-amzn-trace-id: Root=\r\n"),
        get(b"/", b"x-request-timeout: -1\r\nx-request-attempt: 99999999999\r\ngrpc-timeout: x\r\n"),
        b"POST /orders HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 7\r\nconnection: close\r\n\r\n{\"a\":1}".to_vec(),
        b"BREW /pot HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_vec(),
        b"no request at all\r\n\r\n".to_vec(),
    ]
}

/// The answer without what differs from one to the next: the date, and the id that the layer adds.
fn comparable(answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let lines = text.split_inclusive("\r\n");
    let varies = |line: &&str| line.starts_with("date: ") || line.starts_with("x-correlation-id: ");
    lines.filter(|line| !varies(line)).collect()
}

async fn bare(request: &[u8]) -> String {
    let mut wire = Wire::to(service_fn(describe)).await;
    wire.send(request).await;
    comparable(&wire.read_to_end().await)
}

async fn observed(layer: &ObserveLayer, request: &[u8]) -> String {
    let mut wire = Wire::to(layer.layer(service_fn(describe))).await;
    wire.send(request).await;
    comparable(&wire.read_to_end().await)
}

/// Asserts that every request is answered through the layer as it is without, and gives how many
/// of them reached the handler.
async fn nothing_changes(layer: &ObserveLayer) -> usize {
    let mut served = 0;
    for request in requests() {
        let expected = bare(&request).await;
        let start = String::from_utf8_lossy(&request[..request.len().min(60)]).into_owned();
        assert_eq!(observed(layer, &request).await, expected, "{start}");
        served += usize::from(expected.starts_with("HTTP/1.1 202"));
    }
    assert_eq!(layer.in_flight().count(), 0);
    served
}

#[tokio::test]
async fn a_client_that_sends_what_it_likes_is_answered_as_without_the_layer() {
    let bench = Bench::new();
    let builder = ObserveLayer::builder(bench.telemetry.clone());
    let names = ["x-large", "x-raw", "user-agent"].map(HeaderName::from_static);
    let layer = names.into_iter().fold(builder, |builder, name| builder.log_header(name));
    let served = nothing_changes(&layer.build().unwrap()).await;
    // hyper itself refuses what is no request; a path that is no text may be refused too.
    assert!(served >= requests().len() - 2, "{served}");
    let records = bench.request_lines();
    assert_eq!(records.iter().filter(|line| line.get("_aws").is_some()).count(), served);
    assert_eq!(bench.spans().len(), served);
}

#[tokio::test]
async fn extractors_that_panic_change_no_answer() {
    let bench = Bench::new();
    let layer = ObserveLayer::builder(bench.telemetry.clone())
        .route(|_| panic!("route"))
        .operation_name(|_| panic!("operation"))
        .tenant_id(|_| panic!("tenant"))
        .user_id(|_| panic!("user"))
        .log_request_body(BodyLogging::default().redact(|_| panic!("request")))
        .log_response_body(BodyLogging::default().redact(|_| panic!("response")))
        .build()
        .unwrap();
    nothing_changes(&layer).await;
}

#[tokio::test]
async fn a_dead_destination_changes_no_answer() {
    let bench = Bench::with(|builder| builder.output(Output::writer(Dead)));
    let served = nothing_changes(&ObserveLayer::new(bench.telemetry.clone())).await;
    bench.flush();
    let ledger = bench.telemetry.report().lines;
    assert!(ledger.dropped() >= served as u64 && ledger.written == 0, "{ledger:?}");
}

#[tokio::test]
async fn a_full_queue_changes_no_answer() {
    let stuck = Stuck::default();
    let output = Output::builder().destination(stuck.clone()).capacity_bytes(4096).build().unwrap();
    let bench = Bench::with(|builder| builder.output(output));
    let layer = ObserveLayer::new(bench.telemetry.clone());
    for _ in 0..3 {
        nothing_changes(&layer).await;
    }
    let dropped = bench.telemetry.report().lines.dropped();
    stuck.let_go();
    assert!(dropped > 0, "the queue was full");
}

#[tokio::test]
async fn telemetry_that_was_shut_down_changes_no_answer() {
    let bench = Bench::new();
    bench.telemetry.shutdown(std::time::Duration::from_secs(5));
    nothing_changes(&ObserveLayer::new(bench.telemetry.clone())).await;
}
