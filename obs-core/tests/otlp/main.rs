//! What an OTLP receiver gets, and what becomes of the spans when it gets nothing.
#![allow(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod receiver;
mod service;

use std::net::SocketAddr;
use std::time::Duration;

use obs_core::clock::Timestamp;
use obs_core::environment::Environment;
use obs_core::id::{SpanId, TraceId};
use obs_core::resource::Resource;
use obs_core::trace::{
    DropReason, OtlpExporter, OtlpProtocol, SpanEvent, SpanKind, SpanLedger, SpanLink, SpanRecord,
    Status, Tracer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::{Span, span, status::StatusCode};

const TRACE: &str = "5759e988bd862e3fe1be46a994272793";
const LONG: Duration = Duration::from_secs(30);

fn trace_id() -> TraceId {
    TraceId::from_hex(TRACE).unwrap()
}

fn record() -> SpanRecord {
    let span_id = SpanId::from_hex("53995c3f42cd8ad8").unwrap();
    let mut span = SpanRecord::new("GET /orders/{id}", SpanKind::Server, trace_id(), span_id);
    span.parent_span_id = SpanId::from_hex("70de5b6f19ff9a0a");
    span.parent_is_remote = true;
    span.start = Timestamp::from_unix_nanos(1_767_225_600_000_000_001);
    span.end = Timestamp::from_unix_nanos(1_767_225_600_012_000_002);
    span.attributes.push("http.response.status_code", 503);
    span.attributes.push("url.path", String::from("/orders/7"));
    span.attributes.push("ratio", 0.5);
    span.annotate("tenant", "acme");
    span.annotate("vip", true);
    span.metadata("cart", "lines", 3);
    span.metadata("cart", "currency", "EUR");
    span.status = Status::error("no connection");
    let mut event =
        SpanEvent::new("exception", Timestamp::from_unix_nanos(1_767_225_600_001_000_000));
    event.attributes.push("exception.message", "timed out");
    span.add_event(event);
    span.add_link(SpanLink::new(trace_id(), span_id));
    span.trace_state = "vendor=1".into();
    span
}

fn exporter(protocol: OtlpProtocol, endpoint: &str) -> OtlpExporter {
    OtlpExporter::builder()
        .protocol(protocol)
        .endpoint(endpoint)
        .timeout(Duration::from_millis(300))
        .resource(&Resource::empty().with("service.name", "orders"))
        .build()
        .unwrap()
}

fn attribute<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    found.value.as_ref()?.value.as_ref()
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    match attribute(attributes, key)? {
        Value::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}

fn only_span(request: &ExportTraceServiceRequest) -> &Span {
    let [resource] = &request.resource_spans[..] else { panic!("one resource: {request:?}") };
    let attributes = &resource.resource.as_ref().unwrap().attributes;
    assert_eq!(text(attributes, "service.name").as_deref(), Some("orders"));
    let [scope] = &resource.scope_spans[..] else { panic!("one scope: {request:?}") };
    let [span] = &scope.spans[..] else { panic!("one span: {request:?}") };
    span
}

fn assert_complete(span: &Span) {
    assert_eq!(span.name, "GET /orders/{id}");
    assert_eq!(span.trace_id, trace_id().to_bytes());
    assert_eq!(span.parent_span_id, SpanId::from_hex("70de5b6f19ff9a0a").unwrap().to_bytes());
    assert_eq!(span.trace_state, "vendor=1");
    assert_eq!(span.kind, span::SpanKind::Server as i32);
    assert_eq!(span.start_time_unix_nano, 1_767_225_600_000_000_001);
    assert_eq!(span.end_time_unix_nano, 1_767_225_600_012_000_002);
    assert_eq!(span.status.as_ref().unwrap().code, StatusCode::Error as i32);
    assert_eq!(span.status.as_ref().unwrap().message, "no connection");
    assert_eq!(
        attribute(&span.attributes, "http.response.status_code"),
        Some(&Value::IntValue(503))
    );
    assert_eq!(text(&span.attributes, "url.path").as_deref(), Some("/orders/7"));
    assert_eq!(attribute(&span.attributes, "ratio"), Some(&Value::DoubleValue(0.5)));
    assert_eq!(text(&span.attributes, "tenant").as_deref(), Some("acme"));
    let Some(Value::ArrayValue(keys)) = attribute(&span.attributes, "aws.xray.annotations") else {
        panic!("no list of annotations");
    };
    let keys: Vec<_> = keys.values.iter().map(|key| key.value.clone().unwrap()).collect();
    assert_eq!(keys, ["tenant", "vip"].map(|key| Value::StringValue(key.to_owned())));
    assert_eq!(
        text(&span.attributes, "aws.xray.metadata.cart").as_deref(),
        Some(r#"{"currency":"EUR","lines":3}"#)
    );
    assert_eq!(span.events[0].name, "exception");
    assert_eq!(text(&span.events[0].attributes, "exception.message").as_deref(), Some("timed out"));
    assert_eq!(span.links[0].trace_id, trace_id().to_bytes());
}

#[test]
fn a_grpc_receiver_gets_the_whole_span() {
    let (endpoint, received) = receiver::grpc();
    let tracer =
        Tracer::builder().exporter(exporter(OtlpProtocol::Grpc, &endpoint)).build().unwrap();
    tracer.export(record());
    assert!(tracer.shutdown(LONG));
    assert_eq!(tracer.ledger().exported, 1, "{:?}", tracer.ledger());
    assert_complete(only_span(&received.recv().unwrap()));
}

#[test]
fn an_http_receiver_gets_the_whole_span() {
    let (endpoint, received) = receiver::http(200);
    let environment = Environment::from([
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &endpoint),
    ]);
    let resource = Resource::empty().with("service.name", "orders");
    let exporter = OtlpExporter::from_environment(&environment, &resource).unwrap();
    let tracer = Tracer::builder().exporter(exporter).build().unwrap();
    tracer.export(record());
    assert!(tracer.shutdown(LONG));
    assert_eq!(tracer.ledger().exported, 1, "{:?}", tracer.ledger());
    assert_complete(only_span(&received.recv().unwrap()));
}

#[test]
fn what_a_receiver_rejects_out_of_a_batch_counts_as_refused_and_tells_why() {
    let rejected =
        ExportTracePartialSuccess { rejected_spans: 2, error_message: "too old".to_owned() };
    let answer = ExportTraceServiceResponse { partial_success: Some(rejected) };
    let (endpoint, received) = receiver::http_with(200, answer);
    let exporter = exporter(OtlpProtocol::HttpProtobuf, &endpoint);
    let tracer = Tracer::builder().exporter(exporter).build().unwrap();
    for _ in 0..5 {
        tracer.export(record());
    }
    assert!(tracer.shutdown(LONG));
    let ledger = tracer.ledger();
    assert_eq!((ledger.exported, ledger.dropped.get(DropReason::Refused)), (3, 2), "{ledger:?}");
    assert_eq!(ledger.last_error.as_deref(), Some("too old"));
    assert_eq!(received.iter().take(1).count(), 1);
}

#[test]
fn a_receiver_that_refuses_the_spans_is_told_apart_from_one_that_is_not_there() {
    let (endpoint, received) = receiver::http(400);
    let refused = ledger_after(exporter(OtlpProtocol::HttpProtobuf, &endpoint));
    assert_eq!(refused.dropped.get(DropReason::Refused), 1, "{refused:?}");
    assert_eq!(received.iter().take(1).count(), 1);
    for protocol in [OtlpProtocol::Grpc, OtlpProtocol::HttpProtobuf] {
        let endpoint = format!("http://{}/v1/traces", receiver::refusing());
        let ledger = ledger_after(exporter(protocol, &endpoint));
        assert_eq!(ledger.dropped.get(DropReason::Unreachable), 1, "{protocol:?} {ledger:?}");
    }
}

#[test]
fn a_receiver_that_never_answers_costs_the_batch_its_time_limit() {
    for protocol in [OtlpProtocol::Grpc, OtlpProtocol::HttpProtobuf] {
        let (address, _entered) = receiver::hanging();
        let ledger = ledger_after(exporter(protocol, &format!("http://{address}/v1/traces")));
        assert_eq!(ledger.dropped.get(DropReason::TimedOut), 1, "{protocol:?} {ledger:?}");
    }
}

fn ledger_after(exporter: OtlpExporter) -> SpanLedger {
    let tracer = Tracer::builder().exporter(exporter).build().unwrap();
    tracer.export(record());
    assert!(tracer.shutdown(LONG));
    let ledger = tracer.ledger();
    assert!(ledger.is_balanced() && ledger.pending == 0, "{ledger:?}");
    ledger
}

/// In a runtime of the service, as a service does it: built, used and shut down there.
fn shut_down_within(
    runtime: &tokio::runtime::Runtime,
    protocol: OtlpProtocol,
    address: SocketAddr,
) {
    runtime.block_on(async {
        let exporter = OtlpExporter::builder()
            .protocol(protocol)
            .endpoint(format!("http://{address}/v1/traces"))
            .timeout(LONG)
            .build()
            .unwrap();
        let tracer = Tracer::builder().exporter(exporter).build().unwrap();
        tracer.export(record());
        tracer.shutdown(Duration::from_millis(50));
        let ledger = tracer.ledger();
        // The attempt has the deadline of the shutdown; either may be the first to see that it passed.
        let reasons = [DropReason::Shutdown, DropReason::TimedOut];
        let lost = reasons.map(|reason| ledger.dropped.get(reason));
        assert_eq!(lost.iter().sum::<u64>(), 1, "{protocol:?} {ledger:?}");
        assert!(ledger.is_balanced() && ledger.pending == 0, "{ledger:?}");
    });
}

#[test]
fn shutdown_keeps_its_deadline_whatever_the_runtime_and_however_the_receiver_hangs() {
    let current_thread = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let multi_thread = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    for runtime in [current_thread.unwrap(), multi_thread.unwrap()] {
        for protocol in [OtlpProtocol::Grpc, OtlpProtocol::HttpProtobuf] {
            let (address, entered) = receiver::hanging();
            shut_down_within(&runtime, protocol, address);
            // It was the receiver that hung, not the way there.
            entered.recv().unwrap();
        }
    }
}

#[test]
fn an_exporter_can_be_thrown_away_within_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for protocol in [OtlpProtocol::Grpc, OtlpProtocol::HttpProtobuf] {
            drop(exporter(protocol, "http://127.0.0.1:1/v1/traces"));
        }
    });
}

#[cfg(not(feature = "otlp-tls"))]
#[test]
fn an_address_of_https_is_refused_where_tls_is_not_built_in() {
    for protocol in [OtlpProtocol::Grpc, OtlpProtocol::HttpProtobuf] {
        let builder = OtlpExporter::builder().protocol(protocol).endpoint("https://collector:4317");
        let error = builder.build().unwrap_err();
        assert_eq!((error.field(), error.value()), ("endpoint", "https://collector:4317"));
    }
}
