//! The patterns of `resilience/…` as other crates have them, around the same services.
//!
//! None of tower's own knows a name, a metric, a control or a refusal without an error; recloser and
//! failsafe have no layer, so they stand beside our breaker without one, and neither measures how
//! long a call takes. recloser counts calls, failsafe those of whole seconds.

use std::sync::Arc;
use std::time::Duration;

use failsafe::{CircuitBreaker as _, backoff, failure_policy};
use recloser::Recloser;
use tower::Layer;
use tower::limit::ConcurrencyLimitLayer;
use tower::load_shed::LoadShedLayer;
use tower::timeout::TimeoutLayer;
use tower_http::timeout::TimeoutLayer as HttpTimeoutLayer;
use tower_resilience_bulkhead::BulkheadLayer;
use tower_resilience_circuitbreaker::{CircuitBreakerLayer, SlidingWindowType};
use tower_resilience_timelimiter::TimeLimiterLayer;

use super::super::resilience::{HTTP, LATE, NUMBERS, WINDOW, http, late, numbers, numbers_with};
use crate::Job;
use crate::two_threads::two_threads;

const SECOND: Duration = Duration::from_secs(1);

pub(super) fn jobs() -> Vec<Job> {
    [breakers(), limits(), time_limits(), vec![usual_stack()]].into_iter().flatten().collect()
}

fn breakers() -> Vec<Job> {
    let ours = "resilience/circuit_breaker_without_layer";
    vec![
        // It walks over every call of its window at each call, so that a window as long as ours
        // would be measured for as long as it takes to fill.
        numbers("rival/time window by tower-resilience", || {
            let builder = CircuitBreakerLayer::builder()
                .sliding_window_type(SlidingWindowType::TimeBased)
                .sliding_window_duration(SECOND)
                .slow_call_duration_threshold(60 * SECOND);
            builder.build().expect("the configuration is valid")
        })
        .beyond(NUMBERS)
        .instead_of("resilience/circuit_breaker")
        .unsteady(),
        numbers("rival/count window by tower-resilience", || {
            let builder = CircuitBreakerLayer::builder()
                .sliding_window_size(100)
                .slow_call_duration_threshold(60 * SECOND);
            builder.build().expect("the configuration is valid")
        })
        .beyond(NUMBERS)
        .instead_of("resilience/circuit_breaker_by_count")
        .unsteady(),
        Job::new("rival/failsafe", || {
            let policy = failure_policy::success_rate_over_time_window(
                0.5,
                100,
                WINDOW,
                backoff::constant(60 * SECOND),
            );
            let breaker = failsafe::Config::new().failure_policy(policy).build();
            move |times| {
                for _ in 0..times {
                    let _ = std::hint::black_box(breaker.call(|| Ok::<_, ()>(())));
                }
            }
        })
        .instead_of(ours)
        .unsteady(),
        Job::new("rival/recloser", || {
            let breaker = Recloser::default();
            move |times| (0..times).for_each(|_| call(&breaker))
        })
        .instead_of(ours)
        .unsteady(),
        Job::new("rival/recloser, two threads", || {
            let breaker = Arc::new(Recloser::default());
            two_threads(move || {
                let breaker = Arc::clone(&breaker);
                move |times| (0..times).for_each(|_| call(&breaker))
            })
        })
        .shared()
        .instead_of("resilience/circuit_breaker_two_threads"),
    ]
}

fn call(breaker: &Recloser) {
    let _ = std::hint::black_box(breaker.call(|| Ok::<_, ()>(())));
}

fn limits() -> Vec<Job> {
    vec![
        numbers("rival/concurrency limit by tower", || ConcurrencyLimitLayer::new(25))
            .beyond(NUMBERS)
            .instead_of("resilience/bulkhead")
            .unsteady(),
        // It sets a timer even to refuse at once.
        numbers_with("rival/bulkhead by tower-resilience", || {
            let builder = BulkheadLayer::builder().max_concurrent_calls(25).reject_when_full();
            builder.build().expect("the configuration is valid")
        })
        .beyond(NUMBERS)
        .instead_of("resilience/bulkhead")
        .unsteady(),
        // It sheds what is not ready and learns nothing: far less than ours does.
        numbers("rival/load shed by tower", LoadShedLayer::new)
            .beyond(NUMBERS)
            .instead_of("resilience/load_shed")
            .unsteady(),
    ]
}

fn time_limits() -> Vec<Job> {
    vec![
        numbers_with("rival/timeout by tower", || TimeoutLayer::new(SECOND))
            .beyond(NUMBERS)
            .instead_of("resilience/timeout_ready")
            .unsteady(),
        numbers_with("rival/time limiter by tower-resilience", time_limiter)
            .beyond(NUMBERS)
            .instead_of("resilience/timeout_ready")
            .unsteady(),
        late("rival/timeout by tower, waiting", || TimeoutLayer::new(SECOND))
            .beyond(LATE)
            .instead_of("resilience/timeout_waiting")
            .unsteady(),
        late("rival/time limiter by tower-resilience, waiting", time_limiter)
            .beyond(LATE)
            .instead_of("resilience/timeout_waiting")
            .unsteady(),
    ]
}

fn time_limiter() -> TimeLimiterLayer {
    TimeLimiterLayer::builder().timeout_duration(SECOND).build()
}

/// What their guides lead to: a bulkhead inside a breaker inside a time limit. It refuses by an
/// error, which a service would still have to make a response of, and it sheds nothing.
fn usual_stack() -> Job {
    http("rival/tower-resilience and tower-http", || Stack)
        .beyond(HTTP)
        .instead_of("resilience/guard")
        .unsteady()
}

struct Stack;

impl<S> Layer<S> for Stack {
    type Service = tower_http::timeout::Timeout<
        tower_resilience_circuitbreaker::CircuitBreaker<
            tower_resilience_bulkhead::Bulkhead<S>,
            tower_resilience_circuitbreaker::DefaultClassifier,
        >,
    >;

    fn layer(&self, inner: S) -> Self::Service {
        let bulkhead = BulkheadLayer::builder().max_concurrent_calls(25).reject_when_full();
        let bulkhead = bulkhead.build().expect("the configuration is valid");
        let breaker = CircuitBreakerLayer::builder()
            .sliding_window_size(100)
            .slow_call_duration_threshold(60 * SECOND);
        let breaker = breaker.build().expect("the configuration is valid");
        let timeout = HttpTimeoutLayer::with_status_code(http::StatusCode::GATEWAY_TIMEOUT, SECOND);
        timeout.layer(breaker.layer_fn(bulkhead.layer(inner)))
    }
}
