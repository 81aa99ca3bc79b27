use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use obs_core::circuit::{CircuitBreaker, CircuitBreakerConfig, OpenWait, SlidingWindow};
use obs_core::config::ConfigError;
use obs_core::propagate::TrustedHosts;
use obs_core::telemetry::Telemetry;
use obs_tower::bulkhead::{Bulkhead, BulkheadConfig};
use obs_tower::client::ClientLayer;
use obs_tower::guard::GuardLayer;
use obs_tower::retry::{Backoff, Retry, RetryConfig, RetryLayer};
use tower::util::BoxCloneSyncService;
use tower::{ServiceBuilder, ServiceExt};

use super::MAX_CONCURRENT_CALLS;

/// How long a call may wait for its turn.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// A client whose calls are repeated, guarded and observed.
pub(super) type HttpClient = BoxCloneSyncService<Request<Full<Bytes>>, Response<Body>, Error>;

/// A client for calls to the service `name` at `host`, which is one of ours.
///
/// Breaker, bulkhead and retries are named after the service and can be seen, and set, among the
/// controls of the service that calls.
pub(super) fn new(
    name: &'static str,
    host: &str,
    telemetry: &Telemetry,
) -> Result<HttpClient, ConfigError> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_max_idle_per_host(MAX_CONCURRENT_CALLS as usize)
        .build(connector);
    let observed = ClientLayer::builder(telemetry.clone())
        .peer_name(name)
        .trusted_hosts(TrustedHosts::loopback().and(host))
        .build();
    let stack = ServiceBuilder::new()
        // Outermost: each attempt has its turn, its verdict and its span.
        .layer(RetryLayer::new(retry(name, telemetry)?))
        .layer(guard(name, telemetry)?)
        .map_response(|response: Response<_>| response.map(Body::new))
        // Innermost: what is refused above is no call, and the span is of the call alone.
        .layer(observed)
        .service(client);
    Ok(BoxCloneSyncService::new(stack))
}

/// Two more attempts at what may be repeated, soon: someone waits.
fn retry(name: &'static str, telemetry: &Telemetry) -> Result<Retry, ConfigError> {
    let backoff = Backoff::exponential(Duration::from_millis(50), Duration::from_millis(500));
    Retry::builder(name)
        .config(RetryConfig::new().max_attempts(3).backoff(backoff))
        .clock(telemetry.clock().clone())
        .recorder(telemetry.recorder())
        .controls(telemetry.controls())
        .build()
}

/// A bound on the calls under way, and a breaker.
fn guard(name: &'static str, telemetry: &Telemetry) -> Result<GuardLayer, ConfigError> {
    let (clock, recorder, controls) =
        (telemetry.clock(), telemetry.recorder(), telemetry.controls());
    let turns = BulkheadConfig::new()
        .max_concurrent_calls(MAX_CONCURRENT_CALLS)
        .max_wait_duration(MAX_WAIT)
        .max_queue_length(MAX_WAITING);
    let bulkhead = Bulkhead::builder(name).config(turns).clock(clock.clone());
    let judge = CircuitBreakerConfig::new()
        .sliding_window(SlidingWindow::Count(50))
        .minimum_number_of_calls(20)
        .failure_rate_threshold(50.0)
        .open_wait(OpenWait::exponential(Duration::from_secs(1), Duration::from_secs(10)))
        .permitted_calls_in_half_open(3);
    let breaker = CircuitBreaker::builder(name).config(judge).clock(clock.clone());
    Ok(GuardLayer::builder()
        .clock(clock.clone())
        .bulkhead(bulkhead.recorder(recorder).controls(controls).build()?)
        .circuit_breaker(breaker.recorder(recorder).controls(controls).build()?)
        .build())
}

/// The most calls that may wait for a turn; further ones are refused.
const MAX_WAITING: u32 = 4_096;

pub(super) async fn send(
    client: &HttpClient,
    request: Request<Full<Bytes>>,
) -> Result<Response<Body>, Error> {
    client.clone().oneshot(request).await
}
