//! What guards the service: a rate limit per tenant, load shedding, a bulkhead, a circuit breaker
//! over a window of time, and a time limit.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use obs_core::circuit::{CircuitBreaker, CircuitBreakerConfig, SlidingWindow};
use obs_ratelimit::{Headers, Key, Limiter, Policy, Quota};
use obs_tower::bulkhead::{Bulkhead, BulkheadConfig};
use obs_tower::guard::GuardLayer;
use obs_tower::load_shed::LoadShed;
use obs_tower::timeout::TimeLimiter;

/// The header that says whose request it is.
pub const TENANT: HeaderName = HeaderName::from_static("x-tenant-id");

/// More than any machine asks for.
const PLENTY: Quota = Quota::per_second(100_000_000);

/// Room for the most concurrent requests that are measured.
const ROOM: u32 = 20_000;

const VALID: &str = "the configuration is valid";

/// All guards, as one layer; the rate limit tells of itself in `headers`.
pub fn guard(headers: Headers) -> GuardLayer {
    let bulkhead = BulkheadConfig::new().max_concurrent_calls(ROOM);
    let window = SlidingWindow::Time(Duration::from_secs(30));
    let breaker = CircuitBreakerConfig::new().sliding_window(window);
    GuardLayer::builder()
        .rate_limit(Arc::new(limiter(PLENTY, 100_000, headers)))
        .load_shed(LoadShed::builder("shed").build().expect(VALID))
        .bulkhead(Bulkhead::builder("bulkhead").config(bulkhead).build().expect(VALID))
        .circuit_breaker(CircuitBreaker::builder("breaker").config(breaker).build().expect(VALID))
        .time_limiter(TimeLimiter::builder("limiter").build().expect(VALID))
        .build()
}

/// A limit for each tenant.
pub fn limiter(quota: Quota, max_keys: usize, headers: Headers) -> Limiter {
    let policy = Policy::builder("tenant", quota).key(Key::tenant_from(TENANT)).max_keys(max_keys);
    let policy = policy.build().expect(VALID);
    Limiter::builder().fleet_secret([7; 16]).headers(headers).policy(policy).build().expect(VALID)
}
