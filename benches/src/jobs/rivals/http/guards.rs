//! Rate limit, bulkhead, circuit breaker and time limit.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::error_handling::HandleErrorLayer;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use http::StatusCode;
use recloser::{AsyncRecloser, Recloser};
use tokio::sync::Semaphore;
use tower::ServiceBuilder;
use tower_governor::GovernorLayer;
use tower_governor::errors::GovernorError;
use tower_governor::governor::GovernorConfigBuilder;
use tower_governor::key_extractor::KeyExtractor;
use tower_http::timeout::TimeoutLayer;
use tower_resilience_bulkhead::BulkheadLayer;
use tower_resilience_circuitbreaker::CircuitBreakerLayer;

use crate::service::TENANT;

const ROOM: usize = 20_000;
const BURST: u32 = 1_000_000;
const LIMIT: Duration = Duration::from_secs(30);
const VALID: &str = "the configuration is valid";

/// tower_governor with headers, tower-http's time limit, and tower-resilience, whose breaker
/// judges by the last 100 calls; over a window of time it takes longer still.
pub(super) fn usual(router: Router) -> Router {
    let breaker = CircuitBreakerLayer::builder().sliding_window_size(100).build().expect(VALID);
    let bulkhead = BulkheadLayer::builder().max_concurrent_calls(ROOM).build().expect(VALID);
    let limit = GovernorConfigBuilder::default()
        .per_nanosecond(1)
        .burst_size(BURST)
        .key_extractor(Tenant)
        .use_headers()
        .finish()
        .expect(VALID);
    let patterns = ServiceBuilder::new()
        .layer(HandleErrorLayer::new(async |_| StatusCode::SERVICE_UNAVAILABLE))
        .layer(breaker)
        .layer(HandleErrorLayer::new(async |_| StatusCode::SERVICE_UNAVAILABLE))
        .layer(bulkhead);
    router.layer(patterns).layer(timeout()).layer(GovernorLayer::new(limit))
}

#[derive(Clone, Debug)]
struct Tenant;

impl KeyExtractor for Tenant {
    type Key = String;

    fn extract<T>(&self, request: &http::Request<T>) -> Result<String, GovernorError> {
        let tenant = request.headers().get(TENANT).and_then(|tenant| tenant.to_str().ok());
        tenant.map(str::to_owned).ok_or(GovernorError::UnableToExtractKey)
    }
}

/// What the leanest guards share: governor, a semaphore and recloser. They tell nothing of the rate
/// limit in headers.
pub(super) struct Guards {
    limit: DefaultKeyedRateLimiter<String>,
    room: Semaphore,
    breaker: AsyncRecloser,
}

impl Guards {
    pub(super) fn new() -> Arc<Self> {
        let burst = NonZeroU32::new(BURST).expect("it is not zero");
        Arc::new(Self {
            limit: RateLimiter::keyed(Quota::per_second(burst)),
            room: Semaphore::new(ROOM),
            breaker: AsyncRecloser::from(Recloser::default()),
        })
    }
}

/// tower-http's time limit.
pub(super) fn timeout() -> TimeoutLayer {
    TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, LIMIT)
}

/// All of the leanest guards, as one function for axum.
pub(super) async fn guard(
    State(guards): State<Arc<Guards>>,
    request: Request,
    next: Next,
) -> Response {
    let Ok(tenant) = Tenant.extract(&request) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if guards.limit.check_key(&tenant).is_err() {
        return StatusCode::TOO_MANY_REQUESTS.into_response();
    }
    let Ok(_room) = guards.room.try_acquire() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    let call = async {
        let response = next.run(request).await;
        if response.status().is_server_error() { Err(response) } else { Ok(response) }
    };
    match guards.breaker.call(call).await {
        Ok(response) | Err(recloser::Error::Inner(response)) => response,
        Err(recloser::Error::Rejected) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
