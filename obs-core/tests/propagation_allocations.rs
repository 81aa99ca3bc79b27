//! Reading and writing the headers of a request allocates nothing.

use std::hint::black_box;

use allocation_counter::measure;
use http::{HeaderMap, HeaderValue};
use obs_core::clock::{Clock, ManualClock};
use obs_core::context::RequestContext;
use obs_core::environment::Environment;
use obs_core::id::IdGenerator;
use obs_core::output::Output;
use obs_core::propagate::{
    Baggage, Propagators, TraceState, Traceparent, TrustPolicy, XrayHeader, field,
};
use obs_core::telemetry::Telemetry;

fn clock() -> Clock {
    ManualClock::default().clock()
}

fn arrived() -> HeaderMap {
    let trace_id = IdGenerator::seeded(1).trace_id(&clock());
    let mut headers = HeaderMap::new();
    let mut set = |name, value: &str| {
        headers.insert(name, HeaderValue::from_str(value).expect("no control characters"))
    };
    set(&field::TRACEPARENT, &format!("00-{trace_id}-00f067aa0ba902b7-01"));
    let xray = format!("Root={};Parent=53995c3f42cd8ad8;Sampled=1", trace_id.to_xray());
    set(&field::X_AMZN_TRACE_ID, &xray);
    set(&field::X_CORRELATION_ID, &"c".repeat(128));
    set(&field::X_REQUEST_TIMEOUT, "1500");
    set(&field::X_REQUEST_ATTEMPT, "2");
    headers
}

fn count(work: impl FnOnce()) -> u64 {
    measure(work).count_total
}

#[test]
fn extracting_ids_does_not_allocate() {
    let (headers, propagators) = (arrived(), Propagators::default());
    let policy = TrustPolicy::internal();
    let extracted = propagators.extract(&headers, &policy);
    assert!(extracted.parent.is_some() && extracted.correlation_id.is_some());
    assert_eq!(count(|| drop(black_box(propagators.extract(&headers, &policy)))), 0);
}

#[test]
fn refusing_does_not_allocate() {
    let too_many = "a=1,".repeat(40);
    for hostile in ["00-1-1-01", "Root=1-1;Lineage=a:1", "a=1,b", "a b=1,%=%", "a\tb", &too_many] {
        let hostile = hostile.as_bytes();
        let allocations = count(|| {
            assert!(black_box(Traceparent::parse(hostile)).is_none());
            assert!(black_box(XrayHeader::parse(hostile)).is_none());
            assert!(black_box(TraceState::parse([hostile])).is_none());
        });
        assert_eq!(allocations, 0, "{hostile:?}");
    }
    let baggage = "a b=1,c=\x01,d=\"x\",e".as_bytes();
    assert_eq!(count(|| assert!(Baggage::parse([baggage]).is_empty())), 0);
}

#[test]
fn injecting_does_not_allocate_in_a_steady_state() {
    let (output, _captured) = Output::captured();
    let telemetry = Telemetry::builder("orders")
        .environment(Environment::empty())
        .clock(clock())
        .output(output)
        .build()
        .unwrap();
    let policy = TrustPolicy::internal();
    let extracted = Propagators::default().extract(&arrived(), &policy);
    let request = RequestContext::builder(&telemetry)
        .extracted(extracted, clock().now())
        .sampled(true)
        .build();
    let mut headers = HeaderMap::with_capacity(16);
    let mut round = || {
        headers.clear();
        request.inject(&mut headers, &policy);
        black_box(&headers);
    };
    (0..100).for_each(|_| round());
    assert_eq!(count(|| (0..1_000).for_each(|_| round())), 0);
    assert_eq!(headers.len(), 4);
}

#[test]
fn a_context_costs_one_allocation_and_entering_it_none() {
    let (output, _captured) = Output::captured();
    let telemetry = Telemetry::builder("orders")
        .environment(Environment::empty())
        .output(output)
        .build()
        .unwrap();
    let extracted = || {
        let now = telemetry.clock();
        let extracted = telemetry.propagators().extract(&arrived(), &TrustPolicy::edge());
        (extracted, now.now())
    };
    let (told, now) = extracted();
    // The first id of a thread seeds its generator.
    let _ = telemetry.ids().span_id();
    let mut request = None;
    let built = count(|| {
        request = Some(RequestContext::builder(&telemetry).extracted(told, now).build());
    });
    assert_eq!(built, 1);
    let request = request.unwrap();
    let entered = count(|| {
        let _guard = request.enter();
        assert!(RequestContext::current().is_some());
        black_box(request.ids());
    });
    assert_eq!(entered, 0);
    assert_eq!(count(|| drop(black_box(request.scope(std::future::ready(()))))), 0);
}
