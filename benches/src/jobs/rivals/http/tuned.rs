//! The best combination of other people's crates: a span by opentelemetry-instrumentation-tower,
//! without its metrics, and one wide event by metrique for line and metrics together, ids
//! made by OpenTelemetry's quick generator.

use std::time::{Instant, SystemTime};

use axum::Router;
use axum::body::HttpBody;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use http::{HeaderName, HeaderValue};
use metrique::emf::Emf;
use metrique::emf::flags::NoMetric;
use metrique::unit::{Byte, Millisecond};
use metrique::unit_of_work::metrics;
use metrique::writer::sink::FlushImmediatelyBuilder;
use metrique::writer::{BoxEntrySink, FormatExt};
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_instrumentation_tower::http::server;
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};

use super::guards::{Guards, guard, timeout};
use super::spans;
use crate::service::{self, bare};
use crate::sink::Counted;

const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// The observing layers, as one layer of the router.
pub(super) fn observed(ratio: f64) -> impl FnMut(u64) {
    let record = middleware::from_fn_with_state(sink(), record);
    calls(ratio, |span| bare().layer((span, record)))
}

/// The same and the leanest guards, as one layer of the router.
pub(super) fn chained(ratio: f64) -> impl FnMut(u64) {
    let record = middleware::from_fn_with_state(sink(), record);
    let guards = middleware::from_fn_with_state(Guards::new(), guard);
    calls(ratio, |span| bare().layer((span, record, timeout(), guards)))
}

fn calls(ratio: f64, router: impl FnOnce(server::Layer) -> Router) -> impl FnMut(u64) {
    let provider = spans::provider(ratio);
    let span = server::LayerBuilder::builder().with_metrics(false).build();
    let mut calls = service::calls(router(span.expect("the settings are valid")));
    move |times| {
        // Spans are exported for as long as the provider lives.
        let _ = &provider;
        calls(times);
    }
}

fn sink() -> BoxEntrySink {
    let format = Emf::builder("bench".to_owned(), vec![vec![]]).skip_all_validations(true).build();
    FlushImmediatelyBuilder::new().build_boxed(format.output_to(Counted))
}

#[metrics(
    emf::dimension_sets = [["Service", "Environment"], ["Service", "Environment", "Method", "Route"]],
    rename_all = "PascalCase"
)]
struct Access {
    #[metrics(timestamp)]
    timestamp: SystemTime,
    level: &'static str,
    message: &'static str,
    service: &'static str,
    environment: &'static str,
    method: String,
    route: String,
    correlation_id: String,
    trace_id: String,
    span_id: String,
    xray_trace_id: String,
    user_agent: Option<String>,
    #[metrics(flags(NoMetric))]
    status: u64,
    requests: u64,
    errors: u64,
    faults: u64,
    in_flight: u64,
    #[metrics(unit = Millisecond)]
    latency: f64,
    #[metrics(unit = Byte)]
    response_size: u64,
}

async fn record(State(sink): State<BoxEntrySink>, request: Request, next: Next) -> Response {
    #[allow(clippy::disallowed_methods, reason = "a stopwatch around the request")]
    let (start, timestamp) = (Instant::now(), SystemTime::now());
    let made = || RandomIdGenerator::default().new_trace_id().to_string();
    let correlation_id = header(&request, CORRELATION_ID).unwrap_or_else(made);
    let context = Context::current();
    let span = context.span().span_context().clone();
    let trace_id = span.trace_id().to_string();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let mut access = Access {
        timestamp,
        level: "INFO",
        message: "request completed",
        service: "bench",
        environment: "local",
        method: request.method().as_str().to_owned(),
        route: route.unwrap_or_else(|| "__unmatched__".to_owned()),
        xray_trace_id: format!("1-{}-{}", &trace_id[..8], &trace_id[8..]),
        trace_id,
        span_id: span.span_id().to_string(),
        user_agent: header(&request, http::header::USER_AGENT),
        correlation_id,
        status: 0,
        requests: 1,
        errors: 0,
        faults: 0,
        in_flight: 1,
        latency: 0.0,
        response_size: 0,
    }
    .append_on_drop(sink);
    let mut response = next.run(request).await;
    let status = response.status();
    access.status = status.as_u16().into();
    access.errors = status.is_client_error().into();
    access.faults = status.is_server_error().into();
    access.latency = start.elapsed().as_secs_f64() * 1e3;
    access.response_size = response.body().size_hint().exact().unwrap_or(0);
    if let Ok(echo) = HeaderValue::try_from(access.correlation_id.as_str()) {
        response.headers_mut().insert(CORRELATION_ID, echo);
    }
    response
}

fn header(request: &Request, name: HeaderName) -> Option<String> {
    request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
