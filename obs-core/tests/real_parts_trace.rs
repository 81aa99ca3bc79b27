//! Spans taken by parts that others wrote: rotel as an OTLP receiver, moto as X-Ray.
//!
//! The addresses come from `OBS_TEST_ROTEL_GRPC`, `OBS_TEST_ROTEL_HTTP`, `OBS_TEST_ROTEL_LOG` (the
//! file to which rotel writes what it receives) and `OBS_TEST_MOTO`. A missing one fails the test.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc;
use std::time::Duration;

use obs_core::clock::Clock;
use obs_core::environment::Environment;
use obs_core::id::{IdGenerator, SpanId};
use obs_core::resource::Resource;
use obs_core::trace::{
    MAX_DOCUMENT_BYTES, OtlpExporter, OtlpProtocol, SegmentEncoder, SpanEvent, SpanKind, SpanLink,
    SpanRecord, Status, Tracer,
};
use serde_json::{Value, json};

const LONG: Duration = Duration::from_secs(30);

#[track_caller]
fn part(variable: &str) -> String {
    let environment = Environment::process();
    let address = environment.get(variable);
    address.unwrap_or_else(|| panic!("{variable} names the part that this test needs")).to_owned()
}

fn resource() -> Resource {
    Resource::empty().with("service.name", "orders")
}

fn span(ids: &IdGenerator, kind: SpanKind, name: &'static str) -> SpanRecord {
    let clock = Clock::system();
    let mut span = SpanRecord::new(name, kind, ids.trace_id(&clock), ids.span_id());
    span.start = clock.wall();
    span.end = span.start.saturating_add(Duration::from_millis(12));
    span.annotate("tenant", "acme");
    span.attributes.push("http.response.status_code", 503);
    span.status = Status::error("no connection to the store");
    span
}

/// Reads rotel's log until `holds` finds what it looks for.
fn log_of_rotel(holds: impl Fn(&str) -> bool) -> String {
    let path = part("OBS_TEST_ROTEL_LOG");
    let (_keep, pause) = mpsc::channel::<()>();
    for _ in 0..300 {
        let log = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        if holds(&log) {
            return log;
        }
        // rotel writes when it likes to; nothing tells us.
        let _ = pause.recv_timeout(Duration::from_millis(100));
    }
    panic!("rotel did not write what was sent");
}

fn rotel_takes_all(protocol: OtlpProtocol, endpoint: String) {
    let ids = IdGenerator::system();
    let exporter = OtlpExporter::builder()
        .protocol(protocol)
        .endpoint(endpoint)
        .resource(&resource())
        .build()
        .unwrap();
    let tracer = Tracer::builder().exporter(exporter).build().unwrap();
    let spans: Vec<_> = (0..20).map(|_| span(&ids, SpanKind::Server, "GET /orders/{id}")).collect();
    for span in &spans {
        tracer.export(span.clone());
    }
    assert!(tracer.shutdown(LONG));
    let ledger = tracer.ledger();
    assert_eq!((ledger.created, ledger.exported), (20, 20), "{ledger:?}");
    let trace_ids: Vec<_> = spans.iter().map(|span| span.trace_id.to_string()).collect();
    let log = log_of_rotel(|log| trace_ids.iter().all(|id| log.contains(id)));
    assert!(log.contains("GET /orders/{id}") && log.contains("no connection to the store"));
}

#[test]
fn rotel_takes_every_span_over_grpc() {
    rotel_takes_all(OtlpProtocol::Grpc, part("OBS_TEST_ROTEL_GRPC"));
}

#[test]
fn rotel_takes_every_span_over_http() {
    let endpoint = format!("{}/v1/traces", part("OBS_TEST_ROTEL_HTTP"));
    rotel_takes_all(OtlpProtocol::HttpProtobuf, endpoint);
}

/// One call of moto's X-Ray.
fn xray(path: &str, body: &Value) -> Value {
    let url = part("OBS_TEST_MOTO");
    let host = url.strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
    let body = body.to_string();
    let mut stream = TcpStream::connect(&host).unwrap();
    stream.set_read_timeout(Some(LONG)).unwrap();
    // moto finds the service by the credential's scope, and checks no signature.
    let credential = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/xray/aws4_request";
    write!(
        stream,
        "POST {path} HTTP/1.0\r\nhost: {host}\r\ncontent-type: application/json\r\n\
         authorization: {credential}, SignedHeaders=host, Signature=x\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(" 200 "), "{head}\n{body}");
    serde_json::from_str(body).unwrap()
}

/// Spans that other exporters lose, and an ordinary one, all of one trace.
fn corpus(ids: &IdGenerator) -> Vec<SpanRecord> {
    let server = span(ids, SpanKind::Server, "GET /orders/{id}");
    let below = |kind, name| {
        let mut child = span(ids, kind, name);
        child.trace_id = server.trace_id;
        child.parent_span_id = Some(server.span_id);
        child
    };
    let braces = below(SpanKind::Internal, "load user {id}");
    let mut peer = below(SpanKind::Client, "GET");
    peer.attributes.push("peer.service", "svc{1}");
    peer.add_event(SpanEvent::new("exception", peer.start));
    let mut huge = below(SpanKind::Client, "SELECT");
    huge.metadata("big", "blob", "\u{1}".repeat(70_000));
    let mut linked = below(SpanKind::Consumer, "orders process");
    for id in 1..=25 {
        linked.add_link(SpanLink::new(server.trace_id, SpanId::new(id).unwrap()));
    }
    for n in 0..60 {
        linked.annotate(format!("näme {n}"), n);
    }
    vec![server.clone(), braces, peer, huge, linked]
}

#[test]
fn moto_takes_every_document_and_gives_it_back() {
    let ids = IdGenerator::system();
    let encoder = SegmentEncoder::new(&resource());
    let corpus = corpus(&ids);
    let documents: Vec<String> = corpus
        .iter()
        .map(|span| String::from_utf8(encoder.encode(span, MAX_DOCUMENT_BYTES)).unwrap())
        .collect();
    let answer = xray("/TraceSegments", &json!({ "TraceSegmentDocuments": documents }));
    assert_eq!(answer["UnprocessedTraceSegments"], json!([]));
    let trace_id = corpus[0].trace_id.to_xray();
    let answer = xray("/Traces", &json!({ "TraceIds": [trace_id.as_str()] }));
    let segments = answer["Traces"][0]["Segments"].as_array().unwrap();
    let mut kept: Vec<Value> = segments
        .iter()
        .map(|segment| serde_json::from_str(segment["Document"].as_str().unwrap()).unwrap())
        .collect();
    let mut sent: Vec<Value> =
        documents.iter().map(|document| serde_json::from_str(document).unwrap()).collect();
    kept.sort_by_key(|document| document["id"].to_string());
    sent.sort_by_key(|document| document["id"].to_string());
    assert_eq!(kept, sent);
    let server = sent.iter().find(|d| d["id"] == corpus[0].span_id.to_hex().as_str()).unwrap();
    assert_eq!(
        (&server["fault"], &server["annotations"]["tenant"]),
        (&json!(true), &json!("acme"))
    );
}
