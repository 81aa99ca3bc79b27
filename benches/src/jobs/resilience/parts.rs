//! The parts that are measured, as a service would configure them.

use std::time::Duration;

use obs_core::circuit::{CircuitBreaker, CircuitBreakerConfig, SlidingWindow};
use obs_tower::bulkhead::Bulkhead;
use obs_tower::guard::GuardLayer;
use obs_tower::load_shed::{LoadShed, LoadShedConfig, LoadShedLayer};
use obs_tower::priority::Priority;
use obs_tower::timeout::TimeLimiter;

use super::WINDOW;

const VALID: &str = "the configuration is valid";

pub(super) fn timed() -> SlidingWindow {
    SlidingWindow::Time(WINDOW)
}

/// With all reasons to open but consecutive failures.
pub(super) fn breaker(window: SlidingWindow) -> CircuitBreaker {
    let config = CircuitBreakerConfig::new().sliding_window(window);
    CircuitBreaker::builder("breaker").config(config).build().expect(VALID)
}

/// Refuses, and knows for how long.
pub(super) fn open_breaker() -> CircuitBreaker {
    let breaker = breaker(timed());
    breaker.force_open(Some(Duration::from_secs(24 * 60 * 60)));
    breaker
}

pub(super) fn bulkhead() -> Bulkhead {
    Bulkhead::builder("bulkhead").build().expect(VALID)
}

pub(super) fn limiter() -> TimeLimiter {
    TimeLimiter::builder("limiter").build().expect(VALID)
}

pub(super) fn load_shed() -> LoadShed {
    LoadShed::builder("shed").build().expect(VALID)
}

/// Sheds every call: the only place is taken for good.
pub(super) fn full_load_shed() -> LoadShedLayer {
    let config = LoadShedConfig::new().min_limit(1).initial_limit(1).max_limit(1);
    let shed = LoadShed::builder("shed").config(config).build().expect(VALID);
    std::mem::forget(shed.try_acquire(Priority::Normal).expect("the first place is free"));
    LoadShedLayer::new(shed)
}

pub(super) fn guard() -> GuardLayer {
    GuardLayer::builder()
        .load_shed(load_shed())
        .bulkhead(bulkhead())
        .circuit_breaker(breaker(timed()))
        .time_limiter(limiter())
        .build()
}
