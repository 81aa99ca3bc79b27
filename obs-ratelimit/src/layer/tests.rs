use std::convert::Infallible;
use std::future::{Future, pending, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use obs_core::clock::ManualClock;
use tower::{Service, ServiceExt, service_fn};

use crate::{Charge, Headers, Key, Limiter, Policy, Quota, RateLimit, ResetStyle};

type Body = Full<Bytes>;

fn request(tenant: &str) -> Request<Body> {
    Request::get("/orders").header("x-tenant-id", tenant).body(Body::default()).unwrap()
}

fn tenant(quota: Quota) -> Policy {
    Policy::builder("tenant", quota).key(Key::tenant()).max_keys(64).build().unwrap()
}

fn limiter(clock: &ManualClock, policy: Policy) -> Limiter {
    Limiter::builder().clock(clock.clock()).policy(policy).build().unwrap()
}

async fn answer(status: StatusCode) -> Result<Response<Body>, Infallible> {
    let mut response = Response::new(Body::from("done"));
    *response.status_mut() = status;
    Ok(response)
}

#[tokio::test]
async fn a_request_within_its_quota_passes_and_is_told_what_is_left() {
    let limiter = limiter(&ManualClock::default(), tenant(Quota::per_second(100).burst(200)));
    let service = RateLimit::new(service_fn(|_: Request<Body>| answer(StatusCode::OK)), limiter);
    let response = service.oneshot(request("acme")).await.unwrap();
    let headers = response.headers();
    assert_eq!(headers["ratelimit-policy"], r#""tenant";q=200;w=2"#);
    assert_eq!(headers["ratelimit"], r#""tenant";r=199;t=1"#);
    assert_eq!(headers["x-ratelimit-limit"], "200");
    assert_eq!(headers["x-ratelimit-remaining"], "199");
    assert_eq!(headers["x-ratelimit-reset"], "1");
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "done");
}

#[tokio::test]
async fn a_request_over_its_quota_is_refused_with_a_problem_and_never_reaches_the_service() {
    let limiter = limiter(&ManualClock::default(), tenant(Quota::per_minute(1)));
    let calls = std::sync::atomic::AtomicUsize::new(0);
    let mut service = RateLimit::new(
        service_fn(|_: Request<Body>| {
            calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            answer(StatusCode::OK)
        }),
        limiter,
    );
    let first = service.ready().await.unwrap().call(request("acme")).await.unwrap();
    assert_eq!(first.status(), StatusCode::OK);
    let refused = service.ready().await.unwrap().call(request("acme")).await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()["content-type"], "application/problem+json");
    assert_eq!(refused.headers()["retry-after"], "60");
    assert_eq!(refused.headers()["ratelimit"], r#""tenant";r=0;t=60"#);
    let body = refused.into_body().collect().await.unwrap().to_bytes();
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(problem["type"], "https://iana.org/assignments/http-problem-types#quota-exceeded");
    assert_eq!(problem["status"], 429);
    assert_eq!(problem["violated-policies"], serde_json::json!(["tenant"]));
    let other = service.ready().await.unwrap().call(request("other")).await.unwrap();
    assert_eq!(other.status(), StatusCode::OK);
    drop(service);
    assert_eq!(calls.into_inner(), 2);
}

#[tokio::test]
async fn rl_17_being_ready_charges_nothing_and_clones_share_their_state() {
    let limiter = limiter(&ManualClock::default(), tenant(Quota::per_minute(2)));
    let mut service =
        RateLimit::new(service_fn(|_: Request<Body>| answer(StatusCode::OK)), limiter);
    for _ in 0..10 {
        service.ready().await.unwrap();
    }
    let mut clone = service.clone();
    assert_eq!(service.call(request("a")).await.unwrap().status(), StatusCode::OK);
    assert_eq!(clone.ready().await.unwrap().call(request("a")).await.unwrap().status(), 200);
    assert_eq!(clone.ready().await.unwrap().call(request("a")).await.unwrap().status(), 429);
}

#[tokio::test]
async fn rl_16_a_place_is_held_until_the_body_has_ended() {
    let limiter = limiter(&ManualClock::default(), tenant(Quota::concurrency(1)));
    let mut service =
        RateLimit::new(service_fn(|_: Request<Body>| answer(StatusCode::OK)), limiter);
    let running = service.call(request("a")).await.unwrap();
    let refused = service.call(request("a")).await.unwrap();
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "1");
    running.into_body().collect().await.unwrap();
    let next = service.call(request("a")).await.unwrap();
    assert_eq!(next.status(), 200);
    drop(next);
    assert_eq!(service.call(request("a")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn rl_16_a_request_whose_future_is_dropped_gives_its_place_back() {
    let limiter = limiter(&ManualClock::default(), tenant(Quota::concurrency(1)));
    let mut stuck = RateLimit::new(
        service_fn(|_: Request<Body>| pending::<Result<Response<Body>, Infallible>>()),
        limiter.clone(),
    );
    let mut service =
        RateLimit::new(service_fn(|_: Request<Body>| answer(StatusCode::OK)), limiter);
    let mut running = Box::pin(stuck.call(request("a")));
    let mut context = Context::from_waker(Waker::noop());
    assert!(matches!(running.as_mut().poll(&mut context), Poll::Pending));
    assert_eq!(service.call(request("a")).await.unwrap().status(), 429);
    drop(running);
    assert_eq!(service.call(request("a")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn rl_15_only_failures_count_and_running_requests_are_reserved() {
    let policy = Policy::builder("login", Quota::per_minute(2)).charge(Charge::OnFailure).build();
    let limiter = limiter(&ManualClock::default(), policy.unwrap());
    let mut good =
        RateLimit::new(service_fn(|_: Request<Body>| answer(StatusCode::OK)), limiter.clone());
    let mut bad =
        RateLimit::new(service_fn(|_: Request<Body>| answer(StatusCode::UNAUTHORIZED)), limiter);
    for _ in 0..5 {
        assert_eq!(good.call(request("a")).await.unwrap().status(), 200);
    }
    let (one, two) = (good.call(request("a")), good.call(request("a")));
    assert_eq!(good.call(request("a")).await.unwrap().status(), 429, "both places are reserved");
    let (one, two) = (pin!(one).await.unwrap(), pin!(two).await.unwrap());
    assert_eq!((one.status(), two.status()), (StatusCode::OK, StatusCode::OK));
    assert_eq!(bad.call(request("a")).await.unwrap().status(), 401);
    assert_eq!(bad.call(request("a")).await.unwrap().status(), 401);
    assert_eq!(good.call(request("a")).await.unwrap().status(), 429);
}

#[tokio::test]
async fn rl_23_an_epoch_reset_comes_with_the_date_it_is_measured_by() {
    let limiter = Limiter::builder()
        .clock(ManualClock::default().clock())
        .policy(tenant(Quota::per_minute(1)))
        .headers(Headers::none().x_rate_limit(Some(ResetStyle::Epoch)))
        .build()
        .unwrap();
    let mut service =
        RateLimit::new(service_fn(|_: Request<Body>| answer(StatusCode::OK)), limiter);
    service.call(request("a")).await.unwrap();
    let refused = service.call(request("a")).await.unwrap();
    assert_eq!(refused.headers()["date"], "Thu, 01 Jan 2026 00:00:00 GMT");
    assert_eq!(refused.headers()["x-ratelimit-reset"], (1_767_225_600 + 60).to_string());
    assert!(!refused.headers().contains_key("ratelimit"));
}

#[tokio::test]
async fn rl_24_headers_of_the_inner_service_stay() {
    let limiter = limiter(&ManualClock::default(), tenant(Quota::per_minute(10)));
    let inner = service_fn(|_: Request<Body>| {
        let response = Response::builder().header("ratelimit", "\"mine\";r=1");
        ready(Ok::<_, Infallible>(response.body(Body::default()).unwrap()))
    });
    let response = RateLimit::new(inner, limiter).oneshot(request("a")).await.unwrap();
    assert_eq!(response.headers()["ratelimit"], "\"mine\";r=1");
    assert_eq!(response.headers()["x-ratelimit-remaining"], "9");
}

#[tokio::test]
async fn rl_24_an_informational_response_gets_no_headers_and_a_redirect_only_if_asked_for() {
    for (status, on_redirect, told) in [
        (StatusCode::OK, false, true),
        (StatusCode::SWITCHING_PROTOCOLS, true, false),
        (StatusCode::FOUND, false, false),
        (StatusCode::FOUND, true, true),
    ] {
        let limiter = Limiter::builder()
            .clock(ManualClock::default().clock())
            .policy(tenant(Quota::per_minute(10)))
            .headers(Headers::default().on_redirect(on_redirect))
            .build()
            .unwrap();
        let service = RateLimit::new(service_fn(move |_: Request<Body>| answer(status)), limiter);
        let response = service.oneshot(request("a")).await.unwrap();
        assert_eq!(response.headers().contains_key("ratelimit"), told, "{status} {on_redirect}");
        assert_eq!(response.headers().contains_key("x-ratelimit-limit"), told);
    }
}

#[tokio::test]
async fn rl_24_headers_of_the_inner_service_are_replaced_if_that_is_asked_for() {
    let limiter = Limiter::builder()
        .policy(tenant(Quota::per_minute(10)))
        .headers(Headers::default().replace(true))
        .build()
        .unwrap();
    let inner = service_fn(|_: Request<Body>| {
        let response = Response::builder().header("ratelimit", "\"mine\";r=1");
        ready(Ok::<_, Infallible>(response.body(Body::default()).unwrap()))
    });
    let response = RateLimit::new(inner, limiter).oneshot(request("a")).await.unwrap();
    assert_eq!(response.headers()["ratelimit"], r#""tenant";r=9;t=6"#);
}

#[tokio::test]
async fn rl_18_a_retry_at_the_time_named_passes_and_a_second_earlier_does_not() {
    for (quota, wait) in [
        (Quota::per_second(100).burst(1), 1),
        (Quota::per_minute(7).burst(1), 9),
        (Quota::fixed_window(1, Duration::from_secs(10)), 10),
        (Quota::sliding_window(1, Duration::from_secs(10)), 20),
        (Quota::every(Duration::from_millis(1_500)), 2),
    ] {
        for early in [Duration::from_secs(1), Duration::ZERO] {
            let manual = ManualClock::default();
            let mut service = RateLimit::new(
                service_fn(|_: Request<Body>| answer(StatusCode::OK)),
                limiter(&manual, tenant(quota)),
            );
            assert_eq!(service.call(request("a")).await.unwrap().status(), 200);
            let refused = service.call(request("a")).await.unwrap();
            assert_eq!(refused.headers()["retry-after"], wait.to_string(), "{quota:?}");
            manual.advance(Duration::from_secs(wait) - early);
            let expected = if early.is_zero() { 200 } else { 429 };
            let retried = service.call(request("a")).await.unwrap();
            assert_eq!(retried.status(), expected, "{quota:?}");
        }
    }
}
