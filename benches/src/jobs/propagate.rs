//! The headers of a call between our own services, read and written.

use http::HeaderMap;
use obs_core::clock::Clock;
use obs_core::id::IdGenerator;
use obs_core::propagate::{Outgoing, Propagators, TrustPolicy};

use crate::Job;

pub(super) fn jobs() -> Vec<Job> {
    vec![
        Job::new("propagate/extract", extract).within(10_000, 100).explained(
            "by a profile a third is walking the headers and telling their names apart, a fifth reading the ids digit \
             by digit: the trace comes in two headers, and both must name the same",
        ),
        Job::new("propagate/inject", inject).within(10_000, 120).explained(
            "by a profile a fifth is http checking each value byte by byte, and another finding each name its place \
             in the map of headers",
        ),
    ]
}

/// Writes what a call tells into `headers`.
fn call(propagators: &Propagators) -> impl Fn(&mut HeaderMap) + use<> {
    let (clock, ids, propagators) = (Clock::system(), IdGenerator::system(), propagators.clone());
    let correlation_id = ids.correlation_id(&clock);
    let (trace_id, span_id) = (ids.trace_id(&clock), ids.span_id());
    move |headers| {
        let outgoing = Outgoing::new(trace_id, span_id, true).correlation_id(&correlation_id);
        propagators.inject(&outgoing, headers, &TrustPolicy::internal());
    }
}

fn extract() -> impl FnMut(u64) {
    let propagators = Propagators::default();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (http::header::HOST, "inventory"),
        (http::header::ACCEPT, "application/json"),
        (http::header::USER_AGENT, "hyper"),
        (http::header::CONTENT_TYPE, "application/json"),
    ] {
        headers.insert(name, http::HeaderValue::from_static(value));
    }
    call(&propagators)(&mut headers);
    move |times| {
        for _ in 0..times {
            let extracted = propagators.extract(&headers, &TrustPolicy::internal());
            std::hint::black_box(extracted);
        }
    }
}

fn inject() -> impl FnMut(u64) {
    let call = call(&Propagators::default());
    let mut headers = HeaderMap::with_capacity(16);
    move |times| {
        for _ in 0..times {
            headers.clear();
            call(std::hint::black_box(&mut headers));
        }
    }
}
