//! The service-mesh patterns over services that do nothing: what each adds to a call.
//!
//! The single patterns go around a service of numbers, so that nothing is measured but the layer;
//! what answers by HTTP, the guard and the refusals, goes around one of HTTP.

mod parts;
mod unit;

use obs_core::circuit::{CircuitBreaker, SlidingWindow};
use obs_core::outcome::Outcome;
use obs_tower::bulkhead::BulkheadLayer;
use obs_tower::circuit_breaker::CircuitBreakerLayer;
use obs_tower::classify::AnyResponse;
use obs_tower::load_shed::LoadShedLayer;
use obs_tower::priority::Priority;
use obs_tower::reject::AsError;
use obs_tower::timeout::TimeoutLayer;
use tower::layer::util::Identity;

use crate::Job;
use crate::two_threads::two_threads;
use parts::{breaker, bulkhead, guard, limiter, load_shed, open_breaker, timed};
#[cfg(feature = "rivals")]
pub(super) use unit::numbers_with;
pub(super) use unit::{HTTP, LATE, NUMBERS, http, late, numbers};

/// The window of the breakers, ours and the rivals'.
pub(super) const WINDOW: std::time::Duration = std::time::Duration::from_secs(30);

/// The jobs of this folder. The ceilings are the promise, the targets what we aim at.
pub(super) fn jobs() -> Vec<Job> {
    vec![
        numbers(NUMBERS, Identity::new),
        numbers("resilience/circuit_breaker", || {
            let layer = CircuitBreakerLayer::new(breaker(timed()));
            layer.classify_with(AnyResponse).reject_with(AsError)
        })
        .beyond(NUMBERS)
        .within(5_000, 15)
        .instructions(150)
        .explained(
            "a call holds the breaker by a reference that outlives its service, and is timed at both \
             ends: two operations and two readings of the clock that a breaker without slow calls, \
             frozen processes and cancelled calls does not need",
        ),
        numbers("resilience/circuit_breaker_by_count", || {
            let layer = CircuitBreakerLayer::new(breaker(SlidingWindow::Count(100)));
            layer.classify_with(AnyResponse).reject_with(AsError)
        })
        .beyond(NUMBERS)
        .within(5_000, 15),
        Job::new("resilience/circuit_breaker_without_layer", || {
            let breaker = breaker(timed());
            move |times| (0..times).for_each(|_| call(&breaker))
        })
        .within(5_000, 15)
        .explained("counted whole, with the function that is called; its time was not profiled"),
        Job::new("resilience/circuit_breaker_two_threads", || {
            let breaker = breaker(timed());
            two_threads(move || {
                let breaker = breaker.clone();
                move |times| (0..times).for_each(|_| call(&breaker))
            })
        })
        .shared()
        .within(5_000, 40),
        numbers("resilience/bulkhead", || BulkheadLayer::new(bulkhead()).reject_with(AsError))
            .beyond(NUMBERS)
            .within(5_000, 8),
        numbers("resilience/timeout_ready", || TimeoutLayer::new(limiter()).reject_with(AsError))
            .beyond(NUMBERS)
            .within(5_000, 5)
            .explained("the clock is read once, for the deadline that outgoing calls inherit"),
        late(LATE, Identity::new),
        late("resilience/timeout_waiting", || TimeoutLayer::new(limiter()).reject_with(AsError))
            .beyond(LATE)
            .within(5_000, 110),
        numbers("resilience/load_shed", || {
            let layer =
                LoadShedLayer::new(load_shed()).importance_by(|_: &u64| Some(Priority::Normal));
            layer.classify_with(AnyResponse).reject_with(AsError)
        })
        .beyond(NUMBERS)
        .within(5_000, 60),
        http(HTTP, Identity::new),
        http("resilience/circuit_breaker_http", || CircuitBreakerLayer::new(breaker(timed())))
            .beyond(HTTP)
            .within(5_000, 25),
        http("resilience/circuit_breaker_refuses", || CircuitBreakerLayer::new(open_breaker()))
            .beyond(HTTP)
            .within(5_000, 1_000),
        http("resilience/load_shed_refuses", parts::full_load_shed)
            .beyond(HTTP)
            .within(5_000, 1_000),
        http("resilience/guard", guard).beyond(HTTP).within(150_000, 100),
    ]
}

/// A call that does well.
fn call(breaker: &CircuitBreaker) {
    if let Ok(permit) = std::hint::black_box(breaker).try_acquire() {
        permit.settle(Outcome::Success);
    }
}
