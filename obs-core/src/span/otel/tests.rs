use std::time::{Duration, SystemTime};

use opentelemetry::trace::{Span as _, SpanKind as OtelKind, Status as OtelStatus};
use opentelemetry::{Array, KeyValue, Value};

use crate::environment::Environment;
use crate::output::Output;
use crate::span::CallSpan;
use crate::trace::{AttributeValue, MemoryExporter, Sampler, SpanKind, Status};

use super::*;

fn telemetry(sampler: Sampler) -> (Telemetry, MemoryExporter) {
    let memory = MemoryExporter::default();
    let telemetry = Telemetry::builder("orders")
        .environment(Environment::empty())
        .output(Output::captured().0)
        .sampler(sampler)
        .span_exporter(memory.clone())
        .build()
        .unwrap();
    (telemetry, memory)
}

fn spans(telemetry: &Telemetry, memory: &MemoryExporter) -> Vec<SpanRecord> {
    assert!(telemetry.tracer().flush(Duration::from_secs(30)));
    memory.spans()
}

#[test]
fn a_span_in_a_request_is_its_child_and_a_span_in_that_is_its_child() {
    let (telemetry, memory) = telemetry(Sampler::always_on());
    let request = RequestContext::builder(&telemetry).sampled(true).build();
    let tracer = BridgeProvider::new(&telemetry).tracer("library");
    {
        let _entered = request.enter();
        tracer.in_span("outer", |_| tracer.in_span("inner", |_| ()));
        let call = CallSpan::redis("GET");
        let _call = call.enter();
        tracer.start("in call").end();
    }
    let spans = spans(&telemetry, &memory);
    let [inner, outer, in_call, call] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!((&*inner.name, &*outer.name, &*call.name), ("inner", "outer", "GET"));
    assert_eq!(outer.parent_span_id, Some(request.span_id()));
    assert_eq!(inner.parent_span_id, Some(outer.span_id));
    assert_eq!(in_call.parent_span_id, Some(call.span_id));
    assert!(spans.iter().all(|span| span.trace_id == request.trace_id()));
    assert_eq!(inner.attributes.get("otel.scope.name").unwrap().as_str(), Some("library"));
}

#[test]
fn everything_the_api_can_say_arrives() {
    let (telemetry, memory) = telemetry(Sampler::always_on());
    let tracer = BridgeProvider::new(&telemetry).tracer("library");
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(10);
    let linked = tracer.start("linked").span_context().clone();
    let builder = tracer.span_builder("first").with_kind(OtelKind::Client).with_start_time(start);
    let mut span = tracer.build(builder.with_attributes([KeyValue::new("a", 1)]));
    span.update_name("second");
    span.set_attribute(KeyValue::new("list", Value::Array(Array::I64(vec![1, 2]))));
    span.set_attribute(KeyValue::new("tenant", "acme"));
    let keys = Array::String(vec!["tenant".into()]);
    span.set_attribute(KeyValue::new("aws.xray.annotations", Value::Array(keys)));
    span.add_event("event", vec![KeyValue::new("b", 0.5)]);
    span.add_link(linked, vec![]);
    span.set_status(OtelStatus::error("no"));
    span.end_with_timestamp(start + Duration::from_secs(1));
    span.set_attribute(KeyValue::new("too late", true));
    drop(span);
    let spans = spans(&telemetry, &memory);
    let [linked, span] = &spans[..] else { panic!("{spans:?}") };
    assert_eq!((&*span.name, span.kind), ("second", SpanKind::Client));
    assert_eq!((span.start.unix_seconds(), span.end.unix_seconds()), (10, 11));
    assert_eq!(span.attributes.get("a"), Some(&AttributeValue::Int(1)));
    assert_eq!(
        span.attributes.get("list"),
        Some(&AttributeValue::Texts(vec!["1".into(), "2".into()]))
    );
    assert_eq!(span.annotations.get("tenant").unwrap().as_str(), Some("acme"));
    assert!(span.attributes.get("tenant").is_none() && span.attributes.get("too late").is_none());
    assert_eq!(span.events[0].name, "event");
    assert_eq!(span.links[0].span_id, linked.span_id);
    assert_eq!(span.status, Status::error("no"));
}

#[test]
fn an_unsampled_request_or_trace_records_nothing_and_says_so_to_callees() {
    let (telemetry, memory) = telemetry(Sampler::always_off());
    let request = RequestContext::builder(&telemetry).sampled(false).build();
    let tracer = BridgeProvider::new(&telemetry).tracer("library");
    let outside = tracer.start("outside");
    assert!(!outside.is_recording() && !outside.span_context().is_sampled());
    let _entered = request.enter();
    let inside = tracer.start("inside");
    assert!(!inside.is_recording() && inside.span_context().is_valid());
    assert_eq!(inside.span_context().trace_id().to_bytes(), request.trace_id().to_bytes());
    drop((inside, outside));
    assert!(spans(&telemetry, &memory).is_empty());
}

#[test]
fn a_remote_parent_is_continued_with_its_verdict() {
    let (telemetry, memory) = telemetry(Sampler::always_off());
    let tracer = BridgeProvider::new(&telemetry).tracer("library");
    let ids = (OtelTraceId::from(7_u128), OtelSpanId::from(9_u64));
    let remote = SpanContext::new(ids.0, ids.1, TraceFlags::SAMPLED, true, TraceState::NONE);
    let context = Context::new().with_remote_span_context(remote);
    tracer.start_with_context("work", &context).end();
    let span = &spans(&telemetry, &memory)[0];
    assert_eq!((span.trace_id.get(), span.parent_span_id), (7, SpanId::new(9)));
    assert!(span.parent_is_remote);
}

#[test]
fn two_services_in_one_process_do_not_mix_their_spans() {
    let (a, memory_a) = telemetry(Sampler::always_on());
    let (b, memory_b) = telemetry(Sampler::always_on());
    let tracer = BridgeProvider::new(&a).tracer("shared library");
    let request = RequestContext::builder(&b).sampled(true).build();
    let entered = request.enter();
    tracer.in_span("outer", |_| tracer.in_span("inner", |_| ()));
    drop(entered);
    assert_eq!((spans(&a, &memory_a).len(), spans(&b, &memory_b).len()), (0, 2));
}
