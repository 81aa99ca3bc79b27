use std::sync::Arc;
use std::time::Duration;

use obs_core::admit::{Admission, Admit};
use obs_core::clock::ManualClock;
use obs_core::control::Control;
use obs_ratelimit::{
    Key, LeaseConfig, Limiter, MemoryStore, OnStoreFailure, Overrides, Policy, Quota, Store,
    StoreErrorKind,
};

use crate::support::{Counted, Faulty, request};
use crate::{SECRET, admission, node, passes};

#[tokio::test(start_paused = true)]
async fn rl_25_strict_nodes_together_admit_what_one_bucket_holds() {
    let clock = ManualClock::default();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.clock(), 64));
    let quota = Quota::per_minute(10);
    let nodes = [0; 4].map(|_| node(&clock, store.clone(), quota, true, LeaseConfig::new()));
    let mut admitted = 0;
    for round in 0..40 {
        admitted += u32::from(passes(&nodes[round % 4], "acme").await);
    }
    assert_eq!(admitted, 10);
    assert!(passes(&nodes[0], "other").await);
    clock.advance(Duration::from_secs(6));
    assert!(passes(&nodes[1], "acme").await);
    assert!(!passes(&nodes[2], "acme").await);
}

#[tokio::test(start_paused = true)]
async fn rl_26_leased_nodes_together_admit_what_one_bucket_holds_and_then_tell_when_to_retry() {
    let clock = ManualClock::default();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.clock(), 64));
    let (quota, config) = (Quota::per_minute(20), LeaseConfig::new());
    let nodes = [0; 3].map(|_| node(&clock, store.clone(), quota, false, config));
    let mut admitted = 0;
    for round in 0..200 {
        admitted += u32::from(passes(&nodes[round % 3], "acme").await);
        clock.advance(Duration::from_millis(5));
    }
    assert!((18..=20).contains(&admitted), "{admitted}");
    let Admission::Refused(refusal) = admission(&nodes[0], "acme").await else { panic!("dry") };
    assert_eq!(refusal.problem.status(), 429);
    assert!(refusal.headers.contains_key("retry-after"));
}

#[tokio::test(start_paused = true)]
async fn rl_36_requests_that_wait_for_one_key_make_one_call() {
    let clock = ManualClock::default();
    let store = Arc::new(Faulty::new(MemoryStore::new(clock.clock(), 64)));
    store.answer_after(Duration::from_millis(10));
    let limiter = node(&clock, store.clone(), Quota::per_second(1_000), false, LeaseConfig::new());
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let limiter = limiter.clone();
        waiting.spawn(async move { passes(&limiter, "acme").await });
    }
    let admitted = waiting.join_all().await.into_iter().filter(|passed| *passed).count();
    assert_eq!(admitted, 100);
    assert!(store.takes() <= 3, "{} calls for 100 requests", store.takes());
}

#[tokio::test(start_paused = true)]
async fn rl_16_a_request_dropped_while_it_waits_is_not_charged_and_its_lease_lands() {
    let clock = ManualClock::default();
    let store = Arc::new(Faulty::new(MemoryStore::new(clock.clock(), 64)));
    store.answer_after(Duration::from_millis(10));
    let quota = Quota::per_minute(8);
    let limiter = node(&clock, store.clone(), quota, false, LeaseConfig::new());
    let Admission::Pending(mut dropped) = limiter.admit(&request("acme")) else { panic!("cold") };
    let polled = std::future::poll_fn(|context| {
        let pending = std::pin::Pin::new(&mut dropped);
        std::task::Poll::Ready(std::future::Future::poll(pending, context).is_pending())
    });
    assert!(polled.await, "the store has not answered");
    drop(dropped);
    tokio::time::advance(Duration::from_millis(20)).await;
    let takes = store.takes();
    assert!(passes(&limiter, "acme").await);
    assert_eq!(store.takes(), takes, "the lease that landed is used");
}

#[tokio::test(start_paused = true)]
async fn a_store_killed_in_the_middle_of_a_load_makes_no_request_wait_or_fail() {
    for strict in [false, true] {
        let clock = ManualClock::default();
        let store = Arc::new(Faulty::new(MemoryStore::new(clock.clock(), 64)));
        let recorder = Arc::new(Counted::default());
        let policy = Policy::builder("tenant", Quota::per_second(1_000)).key(Key::tenant());
        let (policy, config) = (policy.max_keys(64), LeaseConfig::new());
        let policy = match strict {
            true => policy.strict(store.clone(), config),
            false => policy.leased(store.clone(), config),
        };
        let builder = Limiter::builder().clock(clock.clock()).fleet_secret(SECRET);
        let builder = builder.recorder(recorder.clone()).policy(policy.build().unwrap());
        let limiter = builder.build().unwrap();
        let series = recorder.series();
        for _ in 0..20 {
            assert!(passes(&limiter, "acme").await);
        }
        store.hang();
        let mut steps = Vec::new();
        for _ in 0..600 {
            let start = tokio::time::Instant::now();
            let Admission::Admitted(mut permit) = admission(&limiter, "acme").await else {
                panic!("open without a store")
            };
            assert!(start.elapsed() <= Duration::from_millis(51), "the store's time-out");
            let headers = permit.take_headers().unwrap_or_default();
            if let Some(step) = headers.get("x-ratelimit-fallback") {
                steps.push(step.to_str().unwrap().to_owned());
            }
            clock.advance(Duration::from_millis(10));
        }
        assert!(steps.iter().any(|step| step == "share"), "strict {strict}: the first step");
        assert_eq!(limiter.state(), "degraded");
        let told = steps.iter().filter(|step| *step == "share").count() as u64;
        assert_eq!(recorder.count("RateLimitFallbacks", &["share"]), told, "as metric and header");
        let opened = steps.iter().filter(|step| *step == "open").count() as u64;
        assert_eq!(recorder.count("RateLimitFallbacks", &["open"]), opened);
        assert_eq!(recorder.count("RateLimitDecisions", &["tenant", "admitted"]), 620);
        assert_eq!(recorder.series(), series, "whatever comes, there are no more series");
        let figures = &limiter.snapshot()["policies"][0]["store"];
        assert!(figures["fallback_decisions"].as_u64().unwrap() > 100);
        assert!(store.takes() < 60, "the circuit keeps calls away, {} made", store.takes());
        store.heal();
        clock.advance(Duration::from_secs(60));
        for _ in 0..20 {
            assert!(passes(&limiter, "acme").await);
            tokio::task::yield_now().await;
        }
        assert_eq!(limiter.state(), "enforcing", "strict {strict}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_is_closed_without_its_store_answers_503() {
    let clock = ManualClock::default();
    let store = Arc::new(Faulty::new(MemoryStore::new(clock.clock(), 64)));
    store.fail(StoreErrorKind::Unavailable);
    for strict in [false, true] {
        let config = LeaseConfig::new().on_store_failure(OnStoreFailure::Closed);
        let limiter = node(&clock, store.clone(), Quota::per_second(100), strict, config);
        let Admission::Refused(refusal) = admission(&limiter, "acme").await else {
            panic!("closed")
        };
        assert_eq!(refusal.problem.status(), 503);
        assert_eq!(refusal.headers["x-ratelimit-fallback"], "closed");
        let problem: serde_json::Value =
            serde_json::from_slice(&refusal.problem.to_json()).unwrap();
        let kind = problem["type"].as_str().unwrap();
        assert!(kind.ends_with("#temporary-reduced-capacity"));
    }
}

#[tokio::test(start_paused = true)]
async fn rl_33_a_store_that_throttles_talks_nonsense_or_panics_resets_nothing() {
    for kind in [StoreErrorKind::Throttled, StoreErrorKind::Garbled, StoreErrorKind::Rejected] {
        let clock = ManualClock::default();
        let store = Arc::new(Faulty::new(MemoryStore::new(clock.clock(), 64)));
        let config = LeaseConfig::new().on_store_failure(OnStoreFailure::ShareLocal);
        let limiter = node(&clock, store.clone(), Quota::per_hour(4), true, config);
        for _ in 0..4 {
            assert!(passes(&limiter, "acme").await);
        }
        store.fail(kind);
        let mut admitted = 0;
        for _ in 0..50 {
            admitted += u32::from(passes(&limiter, "acme").await);
        }
        assert_eq!(admitted, 1, "{kind:?}: the share of one node, once");
        store.heal();
        clock.advance(Duration::from_secs(60));
        assert!(!passes(&limiter, "acme").await, "{kind:?}: the bucket is as empty as before");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_is_a_store_that_fails() {
    let clock = ManualClock::default();
    let store = Arc::new(Faulty::new(MemoryStore::new(clock.clock(), 64)));
    store.panic();
    let limiter = node(&clock, store, Quota::per_second(100), false, LeaseConfig::new());
    assert!(passes(&limiter, "acme").await);
}

#[tokio::test(start_paused = true)]
async fn rl_13_a_strict_charge_is_given_back_when_another_policy_refuses() {
    let clock = ManualClock::default();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.clock(), 64));
    let shared = Policy::builder("shared", Quota::per_hour(10)).strict(store, LeaseConfig::new());
    let local = Policy::builder("local", Quota::per_hour(1));
    let builder = Limiter::builder().clock(clock.clock()).fleet_secret(SECRET);
    let builder = builder.policy(shared.build().unwrap()).policy(local.build().unwrap());
    let limiter = builder.build().unwrap();
    assert!(passes(&limiter, "a").await);
    for _ in 0..5 {
        let Admission::Refused(refusal) = admission(&limiter, "a").await else { panic!("local") };
        assert_eq!(&*refusal.policy, "local");
        tokio::task::yield_now().await;
    }
    limiter.reset("local", &[]).unwrap();
    let Admission::Admitted(mut permit) = admission(&limiter, "a").await else { panic!("reset") };
    let headers = permit.take_headers().unwrap();
    assert!(headers["ratelimit"].to_str().unwrap().contains("\"shared\";r=8"));
}

#[tokio::test(start_paused = true)]
async fn unused_tokens_go_back_when_the_node_stops() {
    let clock = ManualClock::default();
    let store = Arc::new(Faulty::new(MemoryStore::new(clock.clock(), 64)));
    let quota = Quota::per_hour(8);
    let first = node(&clock, store.clone(), quota, false, LeaseConfig::new());
    // Two leases of growing size; most of the second is not used.
    for _ in 0..3 {
        assert!(passes(&first, "acme").await);
        clock.advance(Duration::from_millis(10));
    }
    first.return_leases().await;
    let second = node(&clock, store.clone(), quota, false, LeaseConfig::new());
    let mut admitted = 0;
    for _ in 0..40 {
        admitted += u32::from(passes(&second, "acme").await);
        clock.advance(Duration::from_millis(50));
    }
    assert_eq!(admitted, 5, "none is lost");
}

#[tokio::test(start_paused = true)]
async fn rl_39_fleets_with_other_secrets_do_not_share_and_a_secret_is_needed() {
    let clock = ManualClock::default();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.clock(), 64));
    let policy = || {
        let policy = Policy::builder("tenant", Quota::per_hour(1)).key(Key::tenant());
        policy.max_keys(64).strict(store.clone(), LeaseConfig::new()).build().unwrap()
    };
    let fleet = |secret| {
        let builder = Limiter::builder().clock(clock.clock()).fleet_secret(secret);
        builder.policy(policy()).build().unwrap()
    };
    assert!(passes(&fleet([1; 16]), "acme").await);
    assert!(!passes(&fleet([1; 16]), "acme").await);
    assert!(passes(&fleet([2; 16]), "acme").await);
    let error = Limiter::builder().policy(policy()).build().unwrap_err();
    assert_eq!(error.field(), "fleet_secret");
}

#[tokio::test(start_paused = true)]
async fn rl_45_a_flood_of_keys_is_no_flood_of_writes() {
    let clock = ManualClock::default();
    let store = Arc::new(Faulty::new(MemoryStore::new(clock.clock(), 64)));
    let config = LeaseConfig::new().calls_per_second(10).silent_fraction(0.0);
    let limiter = node(&clock, store.clone(), Quota::per_second(100), false, config);
    for key in 0..1_000 {
        let _ = passes(&limiter, &key.to_string()).await;
    }
    assert!(store.takes() <= 10, "{}", store.takes());
}

#[tokio::test(start_paused = true)]
async fn rl_27_a_dead_node_loses_its_lease_once_and_the_bucket_recovers() {
    let clock = ManualClock::default();
    let store = Arc::new(Faulty::new(MemoryStore::new(clock.clock(), 64)));
    let quota = Quota::per_second(100);
    let config = LeaseConfig::new().silent_fraction(0.0);
    let first = node(&clock, store.clone(), quota, false, config);
    // It leases ever more, and dies.
    for _ in 0..30 {
        let _ = passes(&first, "acme").await;
        clock.advance(Duration::from_millis(1));
    }
    let leased = first.snapshot()["policies"][0]["store"]["leased_tokens"].as_u64().unwrap();
    drop(first);
    let second = node(&clock, store.clone(), quota, false, config);
    let mut admitted = 0;
    for _ in 0..200 {
        admitted += u64::from(passes(&second, "acme").await);
    }
    assert!(admitted <= 103 - 30, "what the dead node leased is not given again: {admitted}");
    // A lease that nobody spends is refilled by the bucket's own rate, as any other use.
    clock.advance(Duration::from_millis(10 * leased));
    let mut recovered = 0;
    for _ in 0..400 {
        recovered += u64::from(passes(&second, "acme").await);
        clock.advance(Duration::from_millis(5));
    }
    // Two seconds bring 200 more.
    assert!(recovered >= 190, "{recovered}");
}

#[tokio::test(start_paused = true)]
async fn rl_37_another_quota_of_a_leased_limit_takes_effect_within_the_age_of_a_lease() {
    let clock = ManualClock::default();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.clock(), 64));
    let config = LeaseConfig::new().silent_fraction(0.0);
    let limiter = node(&clock, store, Quota::per_hour(5), false, config);
    while passes(&limiter, "acme").await {
        clock.advance(Duration::from_millis(300));
    }
    assert!(!passes(&limiter, "acme").await, "dry for minutes");
    limiter.replace("tenant", Quota::per_second(1_000), &Overrides::new()).unwrap();
    // The debt of an hour is cut to what the large quota could owe: two seconds.
    let _ = passes(&limiter, "acme").await;
    clock.advance(Duration::from_millis(2_001));
    assert!(passes(&limiter, "acme").await, "a raise does not wait for the old quota");
    // A lease of the large quota is honoured for its age, and not longer.
    for _ in 0..200 {
        let _ = passes(&limiter, "acme").await;
        clock.advance(Duration::from_millis(2));
    }
    limiter.replace("tenant", Quota::per_hour(2), &Overrides::new()).unwrap();
    clock.advance(Duration::from_millis(1_001));
    let mut admitted = 0;
    for _ in 0..50 {
        admitted += u32::from(passes(&limiter, "acme").await);
        clock.advance(Duration::from_millis(20));
    }
    assert!(admitted <= 2, "{admitted}");
}

#[tokio::test(start_paused = true)]
async fn rl_14_a_strict_limit_charges_what_it_refuses_if_it_is_asked_to() {
    let clock = ManualClock::default();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.clock(), 64));
    let policy = Policy::builder("tenant", Quota::per_minute(2)).charge_refused(true);
    let policy = policy.strict(store, LeaseConfig::new()).build().unwrap();
    let builder = Limiter::builder().clock(clock.clock()).fleet_secret(SECRET);
    let limiter = builder.policy(policy).build().unwrap();
    for _ in 0..10 {
        let _ = admission(&limiter, "a").await;
        tokio::task::yield_now().await;
    }
    clock.advance(Duration::from_secs(60));
    assert!(!passes(&limiter, "a").await, "what was refused counts too");
}
