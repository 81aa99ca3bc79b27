//! The trace headers of `propagate/…`, by the propagators of OpenTelemetry and of its crate for AWS.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::propagation::{
    Extractor, Injector, TextMapCompositePropagator, TextMapPropagator,
};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use opentelemetry_aws::trace::XrayPropagator;
use opentelemetry_sdk::propagation::{BaggagePropagator, TraceContextPropagator};

use crate::Job;

pub(super) fn jobs() -> Vec<Job> {
    vec![
        Job::new("rival/extract by opentelemetry and -aws", extract)
            .instead_of("propagate/extract"),
        Job::new("rival/inject by opentelemetry and -aws", inject).instead_of("propagate/inject"),
    ]
}

fn propagators() -> TextMapCompositePropagator {
    TextMapCompositePropagator::new(vec![
        Box::new(XrayPropagator::default()),
        Box::new(TraceContextPropagator::new()),
        Box::new(BaggagePropagator::new()),
    ])
}

/// Correlation ids, tenants and time limits are not theirs to carry: this is less than ours does.
fn context() -> Context {
    let span = SpanContext::new(
        TraceId::from(0x6b01_0e0b_4eaa_8540_2253_c1cf_a32a_ce81_u128),
        SpanId::from(0xba40_34fe_e9c1_0c03_u64),
        TraceFlags::SAMPLED,
        true,
        TraceState::NONE,
    );
    Context::new().with_remote_span_context(span)
}

fn extract() -> impl FnMut(u64) {
    let propagators = propagators();
    let mut headers = HeaderMap::new();
    for (name, value) in [
        (http::header::HOST, "inventory"),
        (http::header::ACCEPT, "application/json"),
        (http::header::USER_AGENT, "hyper"),
        (http::header::CONTENT_TYPE, "application/json"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    propagators.inject_context(&context(), &mut Headers(&mut headers));
    move |times| {
        for _ in 0..times {
            let extracted = propagators.extract_with_context(&Context::new(), &Read(&headers));
            std::hint::black_box(extracted);
        }
    }
}

fn inject() -> impl FnMut(u64) {
    let (propagators, context) = (propagators(), context());
    let mut headers = HeaderMap::with_capacity(16);
    move |times| {
        for _ in 0..times {
            headers.clear();
            propagators.inject_context(&context, &mut Headers(std::hint::black_box(&mut headers)));
        }
    }
}

struct Headers<'a>(&'a mut HeaderMap);

impl Injector for Headers<'_> {
    fn set(&mut self, key: &str, value: String) {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}

struct Read<'a>(&'a HeaderMap);

impl Extractor for Read<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}
