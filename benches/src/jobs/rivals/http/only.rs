//! A part of what is observed: the line alone, or the span alone.

use axum_tracing_opentelemetry::middleware::{OtelAxumLayer, OtelInResponseLayer};
use fastrace::collector::{Config, Reporter, SpanRecord};
use fastrace_axum::FastraceLayer;
use opentelemetry::trace::TracerProvider;
use opentelemetry_instrumentation_tower::http::server;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::{DefaultOnResponse, TraceLayer};
use tracing::Level;
use tracing_subscriber::layer::SubscriberExt;

use super::{calls_under, spans, usual};
use crate::service::{bare, calls};
use crate::sink::Counted;

/// Ids and one line; trace ids are not among them.
pub(super) fn tower_http() -> impl FnMut(u64) {
    let json = tracing_subscriber::fmt::layer().json().with_writer(|| Counted);
    let respond = DefaultOnResponse::new().level(Level::INFO);
    let trace = TraceLayer::new_for_http().make_span_with(usual::span);
    let router = bare()
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(trace.on_request(()).on_response(respond))
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid));
    calls_under(tracing_subscriber::registry().with(json), router)
}

pub(super) fn axum_tracing_opentelemetry() -> impl FnMut(u64) {
    let tracer = spans::provider(1.0).tracer("bench");
    let spans = tracing_opentelemetry::layer().with_tracer(tracer);
    let router = bare().layer(OtelInResponseLayer).layer(OtelAxumLayer::default());
    calls_under(tracing_subscriber::registry().with(spans), router)
}

pub(super) fn opentelemetry_instrumentation_tower() -> impl FnMut(u64) {
    let provider = spans::provider(1.0);
    let span = server::LayerBuilder::builder().with_metrics(false).build();
    let mut calls = calls(bare().layer(span.expect("the settings are valid")));
    move |times| {
        // Spans are exported for as long as the provider lives.
        let _ = &provider;
        calls(times);
    }
}

/// The context of X-Ray is not read, for it knows that of the W3C only.
pub(super) fn fastrace_axum() -> impl FnMut(u64) {
    fastrace::set_reporter(Discard, Config::default());
    calls(bare().layer(FastraceLayer::default()))
}

/// Takes every span and keeps none.
struct Discard;

impl Reporter for Discard {
    fn report(&mut self, _: Vec<SpanRecord>) {}
}
