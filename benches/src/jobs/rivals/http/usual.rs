//! What the crates' introductions lead to: tower-http's request ids and `TraceLayer` over
//! tracing-subscriber's JSON, axum-tracing-opentelemetry for the span, and metrics by the `metrics`
//! facade through metrics_cloudwatch_embedded, flushed with each request.
//!
//! It writes the metrics as a record of their own with one dimension set, where ours has two.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use axum::Router;
use axum::body::HttpBody;
use axum::extract::{MatchedPath, Request};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum_tracing_opentelemetry::middleware::{OtelAxumLayer, OtelInResponseLayer};
use opentelemetry::trace::TracerProvider;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::trace::{DefaultOnResponse, TraceLayer};
use tracing::{Level, Span};
use tracing_subscriber::layer::SubscriberExt;

use super::super::collector::collector;
use super::{calls_under, spans};
use crate::sink::Counted;

pub(super) fn calls(router: Router, ratio: f64) -> impl FnMut(u64) {
    let provider = spans::provider(ratio);
    let subscriber = tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().json().with_writer(|| Counted))
        .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("bench")));
    let respond = DefaultOnResponse::new().level(Level::INFO);
    let router = router
        .layer(middleware::from_fn(measure))
        .layer(PropagateRequestIdLayer::x_request_id())
        .layer(TraceLayer::new_for_http().make_span_with(span).on_request(()).on_response(respond))
        .layer(SetRequestIdLayer::x_request_id(MakeRequestUuid))
        .layer(OtelInResponseLayer)
        .layer(OtelAxumLayer::default());
    calls_under(subscriber, router)
}

/// The span whose fields the line repeats.
pub(super) fn span(request: &Request) -> Span {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    tracing::info_span!(
        "request",
        service = "bench",
        correlation_id = header("x-request-id"),
        method = %request.method(),
        route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str),
        user_agent = header("user-agent"),
    )
}

static IN_FLIGHT: AtomicU32 = AtomicU32::new(0);

async fn measure(request: Request, next: Next) -> Response {
    #[allow(clippy::disallowed_methods, reason = "a stopwatch around the request")]
    let start = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let labels = [
        ("Method", request.method().as_str().to_owned()),
        ("Route", route.unwrap_or_else(|| "__unmatched__".to_owned())),
    ];
    let in_flight = IN_FLIGHT.fetch_add(1, Ordering::Relaxed) + 1;
    let response = next.run(request).await;
    let status = response.status();
    metrics::counter!("Requests", &labels).increment(1);
    let one_if = |is: bool| f64::from(u8::from(is));
    metrics::histogram!("Errors", &labels).record(one_if(status.is_client_error()));
    metrics::histogram!("Faults", &labels).record(one_if(status.is_server_error()));
    metrics::histogram!("Latency", &labels).record(start.elapsed().as_secs_f64() * 1e3);
    let size = response.body().size_hint().exact().unwrap_or(0);
    metrics::histogram!("ResponseSize", &labels).record(size as f64);
    metrics::histogram!("InFlight", &labels).record(in_flight);
    IN_FLIGHT.fetch_sub(1, Ordering::Relaxed);
    let _ = collector().flush(Counted);
    response
}
