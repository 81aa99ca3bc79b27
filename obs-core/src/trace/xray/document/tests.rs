use proptest::prelude::*;

use crate::id::{SpanId, TraceId};
use crate::trace::{Metadata, SpanEvent, SpanLink, Status, Text};

use super::super::rules::broken;
use super::*;

fn span(kind: SpanKind, name: impl Into<Text>) -> SpanRecord {
    let trace_id = TraceId::from_xray("1-5759e988-bd862e3fe1be46a994272793").unwrap();
    let mut span =
        SpanRecord::new(name, kind, trace_id, SpanId::new(0x5399_5c3f_42cd_8ad8).unwrap());
    span.start = Timestamp::from_unix_nanos(1_767_225_600_010_000_000);
    span.end = Timestamp::from_unix_nanos(1_767_225_600_022_500_000);
    span
}

fn child(kind: SpanKind, name: impl Into<Text>) -> SpanRecord {
    let mut span = span(kind, name);
    span.parent_span_id = SpanId::new(0x70de_5b6f_19ff_9a0a);
    span
}

fn encoder() -> SegmentEncoder {
    let resource = Resource::empty()
        .with("service.name", "orders")
        .with("service.version", "1.4.2")
        .with("cloud.platform", "aws_ecs")
        .with("aws.log.group.names", "/ecs/orders");
    SegmentEncoder::new(&resource)
}

#[track_caller]
fn document(span: &SpanRecord) -> Value {
    let bytes = encoder().encode(span, TARGET_BYTES);
    assert_eq!(broken(&bytes), None, "{}", String::from_utf8_lossy(&bytes));
    serde_json::from_slice(&bytes).unwrap()
}

#[test]
fn a_server_span_is_a_segment_of_its_service() {
    let mut span = span(SpanKind::Server, "GET /orders/{id}");
    span.attributes.push("http.request.method", "GET");
    span.attributes.push("url.full", "http://orders/orders/7");
    span.attributes.push("client.address", "10.0.0.1");
    span.attributes.push("http.response.status_code", 200);
    span.attributes.push("cart.lines", 3);
    span.annotate("tenant.id", "acme");
    span.metadata("cart", "currency", "EUR");
    let document = document(&span);
    assert_eq!(
        document,
        json!({
            "name": "orders",
            "id": "53995c3f42cd8ad8",
            "trace_id": "1-5759e988-bd862e3fe1be46a994272793",
            "start_time": 1_767_225_600.01,
            "end_time": 1_767_225_600.022_5,
            "origin": "AWS::ECS::Container",
            "service": { "version": "1.4.2" },
            "http": {
                "request": { "method": "GET", "url": "http://orders/orders/7", "client_ip": "10.0.0.1" },
                "response": { "status": 200 },
            },
            "aws": {
                "xray": { "sdk": "obs-aws for Rust", "sdk_version": env!("CARGO_PKG_VERSION") },
                "cloudwatch_logs": [{ "log_group": "/ecs/orders" }],
            },
            "annotations": { "tenant.id": "acme" },
            "metadata": {
                "cart": { "currency": "EUR" },
                "default": {
                    "cart.lines": 3,
                    "span.name": "GET /orders/{id}",
                    "otel.resource.service.name": "orders",
                    "otel.resource.service.version": "1.4.2",
                    "otel.resource.cloud.platform": "aws_ecs",
                    "otel.resource.aws.log.group.names": "/ecs/orders",
                },
            },
        })
    );
}

#[test]
fn calls_are_subsegments_named_after_the_other_side() {
    let mut aws = child(SpanKind::Client, "DynamoDB.PutItem");
    aws.attributes.push("rpc.system", "aws-api");
    aws.attributes.push("rpc.service", "DynamoDB");
    aws.attributes.push("rpc.method", "PutItem");
    let aws = document(&aws);
    assert_eq!((&aws["name"], &aws["namespace"]), (&json!("DynamoDB"), &json!("aws")));
    assert_eq!(aws["aws"]["operation"], "PutItem");
    assert_eq!(
        (&aws["type"], &aws["parent_id"]),
        (&json!("subsegment"), &json!("70de5b6f19ff9a0a"))
    );

    let mut sql = child(SpanKind::Client, "SELECT orders");
    sql.attributes.push("db.system.name", "postgresql");
    sql.attributes.push("db.namespace", "shop");
    sql.attributes.push("server.address", "db.local");
    sql.attributes.push("db.query.text", "SELECT * FROM orders WHERE id = $1");
    let sql = document(&sql);
    assert_eq!((&sql["name"], &sql["namespace"]), (&json!("shop@db.local"), &json!("remote")));
    assert_eq!(sql["sql"]["sanitized_query"], "SELECT * FROM orders WHERE id = $1");

    let mut peer = child(SpanKind::Client, "GET");
    peer.attributes.push("peer.service", "svc{1}");
    assert_eq!(document(&peer)["name"], "svc1");
    let inner = document(&child(SpanKind::Internal, "load user {id}"));
    assert_eq!((&inner["name"], inner.get("namespace")), (&json!("load user id"), None));
}

#[test]
fn a_span_without_a_parent_is_a_segment_whatever_its_kind() {
    for kind in [SpanKind::Internal, SpanKind::Client, SpanKind::Producer, SpanKind::Consumer] {
        let document = document(&span(kind, "work"));
        assert_eq!((&document["name"], document.get("type")), (&json!("orders"), None), "{kind:?}");
    }
    let mut message = child(SpanKind::Consumer, "orders process");
    message.parent_is_remote = true;
    assert_eq!(document(&message).get("type"), None, "a message begins a segment of this service");
}

#[test]
fn the_status_of_the_response_decides_the_flags() {
    for (status, flags) in [
        (200, &[][..]),
        (404, &["error"]),
        (429, &["error", "throttle"]),
        (500, &["fault"]),
        (503, &["fault"]),
    ] {
        let mut span = span(SpanKind::Server, "GET /");
        span.attributes.push("http.response.status_code", status);
        let document = document(&span);
        for flag in ["error", "throttle", "fault"] {
            assert_eq!(document.get(flag).is_some(), flags.contains(&flag), "{status} {flag}");
        }
    }
    let mut failed = child(SpanKind::Internal, "work");
    failed.status = Status::error("no connection");
    let failed = document(&failed);
    assert_eq!(failed["fault"], true);
    assert_eq!(failed["cause"]["exceptions"][0]["message"], "no connection");
}

#[test]
fn exceptions_keep_their_type_message_and_frames() {
    let mut span = child(SpanKind::Client, "call");
    let mut event = SpanEvent::new("exception", span.start);
    event.attributes.push("exception.type", "io::Error");
    event.attributes.push("exception.message", "broken pipe");
    event.attributes.push("exception.stacktrace", "  0: a\n  1: b\n");
    span.add_event(event);
    let mut note = SpanEvent::new("cache miss", span.start);
    note.attributes.push("key", "a");
    span.add_event(note);
    let document = document(&span);
    let exception = &document["cause"]["exceptions"][0];
    assert_eq!((&exception["type"], &exception["remote"]), (&json!("io::Error"), &json!(true)));
    assert_eq!(exception["stack"], json!([{ "label": "0: a" }, { "label": "1: b" }]));
    assert_eq!(document["metadata"]["default"]["events"][0]["name"], "cache miss");
}

#[test]
fn annotations_beyond_fifty_and_those_xray_has_no_type_for_become_metadata() {
    let mut span = span(SpanKind::Server, "GET /");
    for i in 0..60 {
        span.annotate(format!("key{i:02}"), i);
    }
    let many = document(&span);
    assert_eq!(many["annotations"].as_object().unwrap().len(), 50);
    assert_eq!(many["metadata"]["default"]["key59"], 59);
    let mut odd = child(SpanKind::Internal, "odd");
    odd.annotate("nan", f64::NAN);
    odd.annotate("a-b", 1);
    odd.annotate("a b", 2);
    odd.annotate("list", vec![Text::from("x"), Text::from("y")]);
    let odd = document(&odd);
    assert_eq!(odd["annotations"], json!({ "a_b": 1, "list": "x,y" }));
    assert_eq!(odd["metadata"]["default"], json!({ "nan": null, "a b": 2 }));
}

#[test]
fn a_long_address_is_shortened_in_its_field_and_whole_in_the_metadata() {
    let mut span = span(SpanKind::Server, "GET /");
    let url = format!("http://orders/{}", "x".repeat(300));
    span.attributes.push("url.full", url.clone());
    let document = document(&span);
    assert_eq!(document["http"]["request"]["url"].as_str().unwrap().len(), 250);
    assert_eq!(document["metadata"]["default"]["url.full"], url);
}

#[test]
fn at_most_twenty_links_are_kept_and_the_loss_is_noted() {
    let mut span = span(SpanKind::Consumer, "batch");
    for id in 1..=25 {
        span.add_link(SpanLink::new(span.trace_id, SpanId::new(id).unwrap()));
    }
    let document = document(&span);
    assert_eq!(document["links"].as_array().unwrap().len(), 20);
    assert_eq!(document["metadata"]["obs"]["truncated"], json!(["links"]));
}

#[test]
fn no_document_is_larger_than_a_datagram_whatever_is_asked_for() {
    let mut span = child(SpanKind::Internal, "load");
    span.metadata("cart", "lines", "x".repeat(100_000));
    let bytes = encoder().encode(&span, usize::MAX);
    assert!(bytes.len() <= MAX_DOCUMENT_BYTES, "{}", bytes.len());
    assert_eq!(broken(&bytes), None);
}

#[test]
fn a_document_that_is_too_large_shrinks_in_a_fixed_order() {
    let mut span = child(SpanKind::Client, "SELECT");
    span.attributes.push("db.system.name", "postgresql");
    span.annotate("tenant", "acme");
    span.status = Status::error("no");
    let expect = |span: &SpanRecord, lost: &[&str]| {
        let document = document(span);
        let truncated = document.pointer("/metadata/obs/truncated");
        let noted = truncated.and_then(Value::as_array).cloned().unwrap_or_default();
        assert_eq!(noted, lost);
        document
    };
    expect(&span, &[]);
    span.metadata("big", "blob", "x".repeat(70_000));
    expect(&span, &["metadata"]);
    let mut event = SpanEvent::new("exception", span.start);
    event.attributes.push("exception.stacktrace", format!("{}\n", "f".repeat(240)).repeat(100));
    for _ in 0..3 {
        span.add_event(event.clone());
    }
    expect(&span, &["metadata", "stack"]);
    span.attributes.push("db.query.text", "q".repeat(70_000));
    let document = expect(&span, &["metadata", "stack", "sql"]);
    assert_eq!(document["sql"]["sanitized_query"].as_str().unwrap().len(), 1000);
    assert_eq!(document["annotations"]["tenant"], "acme");
    for i in 0..49 {
        span.annotate(format!("note{i:02}"), "\u{1}".repeat(1000));
    }
    let document = expect(&span, &["metadata", "stack", "sql", "annotations"]);
    assert!(document["annotations"].as_object().unwrap().len() < 50);
    assert!(document["annotations"].get("note00").is_some());
}

#[test]
fn the_smallest_document_still_says_which_span_failed() {
    let mut span = child(SpanKind::Client, "SELECT");
    span.metadata("big", "blob", "x".repeat(70_000));
    span.status = Status::error("m".repeat(4000));
    let bytes = encoder().encode(&span, 600);
    assert_eq!(broken(&bytes), None);
    let document: Value = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((&document["fault"], &document["id"]), (&json!(true), &json!("53995c3f42cd8ad8")));
    assert!(bytes.len() < 600, "{}", bytes.len());
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,30}",
        any::<String>(),
        ("[\\x00-\\x7f]{1,8}", 1..300_usize).prop_map(|(text, times)| text.repeat(times)),
    ]
}

fn any_value() -> impl Strategy<Value = AttributeValue> {
    prop_oneof![
        any::<bool>().prop_map(AttributeValue::from),
        any::<i64>().prop_map(AttributeValue::from),
        any::<f64>().prop_map(AttributeValue::from),
        any_text().prop_map(AttributeValue::from),
        prop::collection::vec(any_text().prop_map(Text::from), 0..4).prop_map(AttributeValue::from),
    ]
}

fn any_key() -> impl Strategy<Value = String> {
    let known = prop::sample::select(vec![
        "http.request.method",
        "url.full",
        "url.path",
        "server.address",
        "server.port",
        "http.response.status_code",
        "http.response.body.size",
        "user_agent.original",
        "client.address",
        "peer.service",
        "rpc.system",
        "rpc.service",
        "rpc.method",
        "db.system.name",
        "db.namespace",
        "db.query.text",
        "db.user",
        "enduser.id",
        "aws.request_id",
        "exception.message",
        "exception.type",
        "exception.stacktrace",
    ]);
    prop_oneof![3 => known.prop_map(str::to_owned), 1 => any_text()]
}

fn any_pairs(most: usize) -> impl Strategy<Value = Vec<(String, AttributeValue)>> {
    prop::collection::vec((any_key(), any_value()), 0..most)
}

prop_compose! {
    fn any_span()(
        (name, kind, status, state) in (any_text(), 0..5_usize, 0..3_usize, any_text()),
        (trace, id, parent, remote) in (1_u128.., 1_u64.., any::<u64>(), any::<bool>()),
        (start, end) in (any::<u64>(), any::<u64>()),
        attributes in any_pairs(20),
        annotations in any_pairs(70),
        metadata in prop::collection::vec((any_text(), any_key(), any_value()), 0..6),
        events in prop::collection::vec((any::<bool>(), any_text(), any_pairs(4)), 0..6),
        links in 0..30_u64,
    ) -> SpanRecord {
        const KINDS: [SpanKind; 5] = [SpanKind::Internal, SpanKind::Server, SpanKind::Client,
            SpanKind::Producer, SpanKind::Consumer];
        let trace_id = TraceId::new(trace).unwrap();
        let mut span = SpanRecord::new(name, KINDS[kind], trace_id, SpanId::new(id).unwrap());
        span.parent_span_id = SpanId::new(parent).filter(|_| parent % 3 > 0);
        span.parent_is_remote = remote;
        (span.start, span.end) = (Timestamp::from_unix_nanos(start), Timestamp::from_unix_nanos(end));
        span.status = [Status::Unset, Status::Ok, Status::error(state)][status].clone();
        span.attributes = attributes.into_iter().collect();
        span.annotations = annotations.into_iter().collect();
        span.metadata = metadata.into_iter().map(|(n, k, v)| Metadata::new(n, k, v)).collect();
        for (exception, name, attributes) in events {
            let name = if exception { Text::from("exception") } else { name.into() };
            let mut event = SpanEvent::new(name, span.start);
            event.attributes = attributes.into_iter().collect();
            span.add_event(event);
        }
        for id in 1..=links {
            span.add_link(SpanLink::new(trace_id, SpanId::new(id).unwrap()));
        }
        span
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_span_becomes_a_document_within_the_rules(span in any_span(), max in 4_096..60_000_usize) {
        let bytes = encoder().encode(&span, max);
        prop_assert_eq!(broken(&bytes), None, "{}", String::from_utf8_lossy(&bytes));
        prop_assert!(bytes.len() <= max, "{} > {}", bytes.len(), max);
    }

    #[test]
    fn any_bytes_read_as_a_span_become_a_document_within_the_rules(
        bytes in prop::collection::vec(any::<u8>(), 0..4_000),
    ) {
        super::super::invariants::segment_document(&bytes);
    }
}
