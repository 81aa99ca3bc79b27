use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use obs_core::circuit::{
    CircuitBreaker, CircuitBreakerConfig, CircuitBreakers, HalfOpenRule, SlidingWindow, State,
};
use obs_core::clock::ManualClock;
use obs_core::control::Control;
use obs_core::deadline::Deadline;
use obs_core::outcome::Outcome;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

use super::*;
use crate::reject::AsError;

const SECOND: Duration = Duration::from_secs(1);

fn breaker(failures: u32) -> (ManualClock, CircuitBreaker) {
    let time = ManualClock::default();
    let config = CircuitBreakerConfig::new()
        .without_failure_rate()
        .consecutive_failures_threshold(failures)
        .slow_call_duration_threshold(30 * SECOND)
        .permitted_calls_in_half_open(1)
        .half_open_rule(HalfOpenRule::FirstFailure)
        .sliding_window(SlidingWindow::Time(60 * SECOND));
    let breaker = CircuitBreaker::builder("dep").config(config).clock(time.clock()).build();
    (time, breaker.unwrap())
}

/// Looks for the answer once.
fn look<F: Future>(call: Pin<&mut F>) -> Poll<F::Output> {
    call.poll(&mut Context::from_waker(Waker::noop()))
}

/// Answers with the status that the request names.
async fn answer(request: Request<u16>) -> Result<Response<Bytes>, Infallible> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = http::StatusCode::from_u16(*request.body()).unwrap();
    Ok(response)
}

async fn never(_: Request<u16>) -> Result<Response<Bytes>, Infallible> {
    std::future::pending().await
}

async fn status(
    service: impl Service<Request<u16>, Response = Response<Bytes>, Error = Infallible>,
    ask: u16,
) -> u16 {
    service.oneshot(Request::new(ask)).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn res_g6_a_layer_applied_to_eight_routes_is_one_breaker() {
    let (_, breaker) = breaker(3);
    let layer = CircuitBreakerLayer::new(breaker.clone());
    let routes: Vec<_> = (0..8).map(|_| layer.layer(service_fn(answer))).collect();
    for route in routes.iter().take(3) {
        assert_eq!(status(route.clone(), 500).await, 500);
    }
    assert_eq!(breaker.state(), State::Open);
    for route in routes {
        assert_eq!(status(route, 200).await, 503);
    }
}

#[tokio::test]
async fn res_g6_a_layer_on_an_axum_handler_is_one_breaker_across_requests() {
    use axum::handler::Handler;

    let (_, breaker) = breaker(3);
    let handler = (async || http::StatusCode::INTERNAL_SERVER_ERROR)
        .layer(CircuitBreakerLayer::new(breaker.clone()));
    let app = axum::Router::new().route("/", axum::routing::any_service(handler.with_state(())));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let request = Request::new(axum::body::Body::empty());
        statuses.push(app.clone().oneshot(request).await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [500, 500, 500, 503]);
}

#[tokio::test]
async fn res_g5_an_open_breaker_is_ready_and_refuses_in_call() {
    let (_, breaker) = breaker(1);
    breaker.force_open(None);
    let mut service = CircuitBreakerLayer::new(breaker).layer(service_fn(answer));
    let ready = service.ready().await.unwrap();
    assert_eq!(ready.call(Request::new(200)).await.unwrap().status(), 503);
}

#[tokio::test]
async fn res_g7_a_client_gets_an_error_it_can_look_into() {
    let (_, breaker) = breaker(1);
    breaker.force_open(Some(5 * SECOND));
    let client = service_fn(async |_: ()| Ok::<_, BoxError>("unreachable"));
    let layer = CircuitBreakerLayer::new(breaker)
        .classify_with(crate::classify::AnyResponse)
        .reject_with(AsError);
    let error = layer.layer(client).oneshot(()).await.unwrap_err();
    let rejected = error.downcast_ref::<Rejected>().unwrap();
    assert_eq!(rejected.outcome(), Outcome::Rejected(Rejection::CircuitBreaker));
    assert_eq!(rejected.wait(), Some(5 * SECOND));
}

#[tokio::test]
async fn res_c14_statuses_below_500_are_no_failures_and_a_success_ends_a_streak() {
    let (_, breaker) = breaker(2);
    let service = CircuitBreakerLayer::new(breaker.clone()).layer(service_fn(answer));
    for ask in [500, 404, 500, 429, 503, 200, 500] {
        assert_eq!(status(service.clone(), ask).await, ask);
    }
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.totals().failures, 4);
}

#[tokio::test]
async fn res_c15_a_deadline_set_outside_the_breaker_makes_a_dropped_call_a_failure() {
    let (time, breaker) = breaker(1);
    let deadline = Deadline::after(breaker.clock().now(), SECOND);
    let mut service = CircuitBreakerLayer::new(breaker.clone()).layer(service_fn(never));
    let call = {
        let _limit = deadline.enter();
        let mut call = Box::pin(service.call(Request::new(0)));
        assert!(look(call.as_mut()).is_pending());
        call
    };
    time.advance(SECOND);
    drop(call);
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test]
async fn res_c13_a_call_is_in_flight_as_soon_as_it_has_to_wait() {
    let time = ManualClock::default();
    let config =
        CircuitBreakerConfig::new().slow_call_duration_threshold(SECOND).minimum_number_of_calls(1);
    let breaker = CircuitBreaker::builder("dep").config(config).clock(time.clock()).build();
    let breaker = breaker.unwrap();
    let mut service = CircuitBreakerLayer::new(breaker.clone()).layer(service_fn(never));
    let in_flight = || Control::snapshot(&breaker)["in_flight"].clone();
    let mut call = Box::pin(service.call(Request::new(0)));
    assert_eq!(in_flight(), 0, "nobody has looked for the answer");
    for _ in 0..2 {
        assert!(look(call.as_mut()).is_pending());
        assert_eq!(in_flight(), 1);
    }
    time.advance(2 * SECOND);
    assert!(breaker.try_acquire().is_err(), "a call that hangs is reason to open");
    drop(call);
    assert_eq!(in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn res_c15_any_time_limit_outside_feeds_it_once_calls_are_slow() {
    let time = ManualClock::default();
    let config =
        CircuitBreakerConfig::new().slow_call_duration_threshold(SECOND).minimum_number_of_calls(1);
    let breaker = CircuitBreaker::builder("dep").config(config).clock(time.clock()).build();
    let breaker = breaker.unwrap();
    let inner = CircuitBreakerLayer::new(breaker.clone()).layer(service_fn(never));
    let mut service = tower::timeout::Timeout::new(inner, SECOND);
    let call = service.ready().await.unwrap().call(Request::new(0));
    time.advance(SECOND);
    assert!(call.await.is_err());
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test]
async fn res_o3_a_client_that_goes_away_early_is_neither_success_nor_failure() {
    let (_, breaker) = breaker(1);
    let mut service = CircuitBreakerLayer::new(breaker.clone()).layer(service_fn(never));
    drop(service.call(Request::new(0)));
    assert_eq!((breaker.state(), breaker.totals().calls), (State::Closed, 0));
    assert_eq!(breaker.counters().ignored, 1);
}

#[tokio::test]
async fn res_g11_a_panic_in_a_task_is_one_failure() {
    let (_, breaker) = breaker(1);
    let inner = service_fn(async |_: Request<u16>| -> Result<Response<Bytes>, Infallible> {
        tokio::task::yield_now().await;
        std::panic::resume_unwind(Box::new("handler"))
    });
    let call = CircuitBreakerLayer::new(breaker.clone()).layer(inner).oneshot(Request::new(0));
    let tasks = tokio::task::LocalSet::new();
    let joined = tasks.run_until(async { tokio::task::spawn_local(call).await }).await;
    assert!(joined.unwrap_err().is_panic());
    assert_eq!(breaker.counters().failed, 1);
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test]
async fn res_g1_the_instance_that_was_made_ready_is_the_one_called() {
    #[derive(Clone)]
    struct NeedsReady(bool, Arc<AtomicUsize>);

    impl Service<Request<u16>> for NeedsReady {
        type Response = Response<Bytes>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Response<Bytes>, Infallible>>;

        fn poll_ready(
            &mut self,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Result<(), Infallible>> {
            self.0 = true;
            std::task::Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<u16>) -> Self::Future {
            assert!(std::mem::take(&mut self.0), "called without readiness");
            self.1.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Ok(Response::new(Bytes::new())))
        }
    }

    let (_, breaker) = breaker(1);
    let calls = Arc::new(AtomicUsize::new(0));
    let mut service =
        CircuitBreakerLayer::new(breaker).layer(NeedsReady(false, Arc::clone(&calls)));
    for _ in 0..3 {
        service.ready().await.unwrap().call(Request::new(0)).await.unwrap();
    }
    assert_eq!(calls.load(Ordering::Relaxed), 3);
}

#[tokio::test]
async fn res_c20_each_key_has_a_breaker_of_its_own() {
    fn tenant(request: &Request<u16>) -> Cow<'_, str> {
        request.headers()["x-tenant-id"].to_str().unwrap().into()
    }
    let config = CircuitBreakerConfig::new().consecutive_failures_threshold(1);
    let tenants = CircuitBreakers::new("tenant", config, 10).unwrap();
    let service = CircuitBreakerLayer::keyed(tenants, tenant).layer(service_fn(answer));
    let ask = |tenant: &str, ask: u16| {
        let request = Request::builder().header("x-tenant-id", tenant).body(ask).unwrap();
        let service = service.clone();
        async move { service.oneshot(request).await.unwrap().status().as_u16() }
    };
    assert_eq!(ask("acme", 500).await, 500);
    assert_eq!(ask("acme", 200).await, 503);
    assert_eq!(ask("initech", 200).await, 200);
}
