//! What a request costs, known after its response: here and in a fleet.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use obs_core::clock::ManualClock;
use obs_core::outcome::Outcome;
use obs_ratelimit::{
    Charge, Key, LeaseConfig, Limiter, MemoryStore, Policy, PolicyBuilder, Quota, RateLimit,
    RequestCost, Store,
};
use tower::{ServiceExt, service_fn};

use crate::SECRET;
use crate::support::request;

/// Where the counts are kept.
const MODES: [Option<bool>; 3] = [None, Some(false), Some(true)];

fn policy(quota: Quota) -> PolicyBuilder {
    Policy::builder("tokens", quota).key(Key::tenant()).max_keys(64)
}

fn limiter(
    clock: &ManualClock,
    store: &Arc<dyn Store>,
    it: PolicyBuilder,
    strict: Option<bool>,
) -> Limiter {
    let config = LeaseConfig::new().silent_fraction(0.0);
    let it = match strict {
        None => it,
        Some(true) => it.strict(store.clone(), config),
        Some(false) => it.leased(store.clone(), config),
    };
    let builder = Limiter::builder().clock(clock.clock()).fleet_secret(SECRET);
    builder.policy(it.build().unwrap()).build().unwrap()
}

/// What is left: in the store if there is one, once all is told and leases are given back.
async fn left(limiter: &Limiter, strict: Option<bool>) -> u64 {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    if strict.is_none() {
        return limiter.peek("tokens", &["acme"]).unwrap().remaining;
    }
    limiter.return_leases().await;
    limiter.in_store("tokens", &["acme"]).unwrap().peek().await.unwrap().remaining
}

fn memory(clock: &ManualClock) -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(clock.clock(), 64))
}

fn quotas() -> [Quota; 2] {
    [Quota::per_hour(1_000), Quota::fixed_window(1_000, Duration::from_secs(3_600))]
}

#[tokio::test(start_paused = true)]
async fn rl_15_what_is_acquired_is_committed_at_its_real_cost_or_refunded() {
    for strict in MODES {
        for quota in quotas() {
            let clock = ManualClock::default();
            let store = memory(&clock);
            let limiter = limiter(&clock, &store, policy(quota).cost(10), strict);
            let about = format!("strict {strict:?}, {quota:?}");
            let acquire = || async { limiter.acquire(&request("acme")).await.unwrap() };
            acquire().await.commit();
            assert_eq!(left(&limiter, strict).await, 990, "{about}");
            acquire().await.commit_cost(300);
            assert_eq!(left(&limiter, strict).await, 690, "{about}");
            acquire().await.commit_cost(4);
            assert_eq!(left(&limiter, strict).await, 686, "{about}");
            acquire().await.refund();
            assert_eq!(left(&limiter, strict).await, 686, "{about}");
            drop(acquire().await);
            assert_eq!(left(&limiter, strict).await, 676, "{about}");
            acquire().await.settle(Outcome::ServerError);
            assert_eq!(left(&limiter, strict).await, 666, "{about}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn rl_15_only_failures_or_only_successes_count_in_a_fleet_too() {
    for strict in MODES {
        for (charge, failed, passed) in
            [(Charge::OnFailure, 999, 999), (Charge::OnSuccess, 1_000, 999)]
        {
            let clock = ManualClock::default();
            let store = memory(&clock);
            let it = policy(Quota::per_hour(1_000)).charge(charge);
            let limiter = limiter(&clock, &store, it, strict);
            let acquired = limiter.acquire(&request("acme")).await.unwrap();
            acquired.settle(Outcome::ClientError);
            assert_eq!(left(&limiter, strict).await, failed, "{strict:?} {charge:?}");
            let acquired = limiter.acquire(&request("acme")).await.unwrap();
            acquired.settle(Outcome::Success);
            assert_eq!(left(&limiter, strict).await, passed, "{strict:?} {charge:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_what_is_acquired_says_by_whom_and_for_how_long() {
    let clock = ManualClock::default();
    let limiter = limiter(&clock, &memory(&clock), policy(Quota::per_minute(1)), None);
    limiter.acquire(&request("acme")).await.unwrap().commit();
    let refused = limiter.acquire(&request("acme")).await.unwrap_err();
    assert_eq!(refused.refused_by(), Some("tokens"));
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(60)));
}

#[tokio::test(start_paused = true)]
async fn the_cost_that_a_handler_tells_is_charged_when_its_response_has_ended() {
    for strict in MODES {
        let clock = ManualClock::default();
        let store = memory(&clock);
        let it = policy(Quota::per_hour(1_000)).cost(10).cost_after();
        let limiter = limiter(&clock, &store, it, strict);
        let handler = service_fn(|request: Request<Full<Bytes>>| async move {
            let cost = request.extensions().get::<RequestCost>().unwrap().clone();
            cost.add(40);
            cost.add(2);
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("done"))))
        });
        let service = RateLimit::new(handler, limiter.clone());
        let request = Request::get("/").header("x-tenant-id", "acme");
        let request = request.body(Full::default()).unwrap();
        let response = service.oneshot(request).await.unwrap();
        assert_eq!(left(&limiter, strict).await, 990, "{strict:?}: reserved while the body runs");
        response.into_body().collect().await.unwrap();
        assert_eq!(left(&limiter, strict).await, 958, "{strict:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cost_that_is_never_told_is_what_was_reserved_and_a_failure_may_cost_nothing() {
    let clock = ManualClock::default();
    let it = policy(Quota::per_hour(1_000)).cost(10).cost_after().charge(Charge::OnSuccess);
    let limiter = limiter(&clock, &memory(&clock), it, None);
    for (status, remaining) in [(StatusCode::OK, 990), (StatusCode::INTERNAL_SERVER_ERROR, 990)] {
        let handler = service_fn(move |_: Request<Full<Bytes>>| async move {
            let response = Response::builder().status(status);
            Ok::<_, Infallible>(response.body(Full::<Bytes>::default()).unwrap())
        });
        let request = Request::get("/").header("x-tenant-id", "acme");
        let request = request.body(Full::default()).unwrap();
        let response = RateLimit::new(handler, limiter.clone()).oneshot(request).await.unwrap();
        response.into_body().collect().await.unwrap();
        assert_eq!(left(&limiter, None).await, remaining, "{status}");
    }
}
