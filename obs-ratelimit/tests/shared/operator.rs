use std::sync::Arc;
use std::time::Duration;

use obs_core::clock::ManualClock;
use obs_core::control::{Action, Control};
use obs_ratelimit::{LeaseConfig, Limiter, MemoryStore, Quota, StoreErrorKind};
use serde_json::json;

use crate::support::Faulty;
use crate::{node, passes};

const MINUTE: Duration = Duration::from_secs(60);

fn quotas() -> [Quota; 2] {
    [Quota::per_hour(5), Quota::fixed_window(5, Duration::from_secs(7_200))]
}

fn act(limiter: &Limiter, name: &str, tokens: u64) {
    let action = Action::new(name).argument("policy", "tenant").argument("key", json!(["acme"]));
    limiter.apply(&action.argument("tokens", tokens)).unwrap();
}

async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

async fn drain(clock: &ManualClock, limiter: &Limiter) -> u32 {
    let mut admitted = 0;
    for _ in 0..20 {
        admitted += u32::from(passes(limiter, "acme").await);
        clock.advance(Duration::from_millis(600));
    }
    admitted
}

#[tokio::test(start_paused = true)]
async fn an_operator_looks_at_a_key_in_the_store_grants_it_more_and_resets_it() {
    for strict in [false, true] {
        for quota in quotas() {
            let clock = ManualClock::default();
            let store = Arc::new(Faulty::new(MemoryStore::new(clock.clock(), 64)));
            let config = LeaseConfig::new().silent_fraction(0.0);
            let limiter = node(&clock, store.clone(), quota, strict, config);
            let about = format!("strict {strict}, {quota:?}");
            assert_eq!(drain(&clock, &limiter).await, 5, "{about}");
            act(&limiter, "peek", 0);
            settle().await;
            assert_eq!(limiter.snapshot()["peeked"]["remaining"], 0, "{about}");
            act(&limiter, "grant", 2);
            settle().await;
            act(&limiter, "peek", 0);
            settle().await;
            assert_eq!(limiter.snapshot()["peeked"]["remaining"], 2, "{about}");
            assert_eq!(drain(&clock, &limiter).await, 2, "{about}");
            act(&limiter, "reset", 0);
            settle().await;
            assert_eq!(drain(&clock, &limiter).await, 5, "{about}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_one_node_grants_another_notices() {
    let clock = ManualClock::default();
    let store = Arc::new(Faulty::new(MemoryStore::new(clock.clock(), 64)));
    let config = LeaseConfig::new().silent_fraction(0.0);
    let quota = Quota::fixed_window(5, Duration::from_secs(7_200));
    let [one, two] = [0; 2].map(|_| node(&clock, store.clone(), quota, false, config));
    assert_eq!(drain(&clock, &one).await, 5);
    assert!(!passes(&two, "acme").await);
    let acme = one.in_store("tenant", &["acme"]).unwrap();
    assert_eq!(acme.peek().await.unwrap().remaining, 0);
    assert_eq!(acme.grant(3).await.unwrap().remaining, 3);
    assert!(!passes(&two, "acme").await, "it takes the word of the store for a while");
    clock.advance(MINUTE / 6);
    assert!(passes(&two, "acme").await);
    assert_eq!(acme.reset().await.unwrap().remaining, 5);
    store.fail(StoreErrorKind::Unavailable);
    assert_eq!(acme.peek().await.unwrap_err().kind(), StoreErrorKind::Unavailable);
    store.hang();
    assert_eq!(acme.peek().await.unwrap_err().kind(), StoreErrorKind::Timeout);
}

#[tokio::test(start_paused = true)]
async fn a_policy_without_a_store_has_no_key_in_one() {
    let policy = obs_ratelimit::Policy::builder("local", Quota::per_second(1)).build().unwrap();
    let limiter = Limiter::new(policy).unwrap();
    assert_eq!(limiter.in_store("local", &[]).unwrap_err().field(), "policy");
}

#[tokio::test(start_paused = true)]
async fn an_operator_sees_how_many_places_are_free() {
    let clock = ManualClock::default();
    let store = Arc::new(MemoryStore::new(clock.clock(), 64));
    let limiter = node(&clock, store, Quota::concurrency(4), false, LeaseConfig::new());
    let running = crate::admission(&limiter, "acme").await;
    let acme = limiter.in_store("tenant", &["acme"]).unwrap();
    assert_eq!(acme.peek().await.unwrap().remaining, 3);
    assert_eq!(acme.grant(9).await.unwrap().remaining, 3, "a place is its request's to give back");
    drop(running);
}
