use std::sync::Arc;
use std::time::Duration;

use obs_core::admit::{Admission, Permit};
use obs_core::clock::ManualClock;
use obs_core::outcome::Outcome;
use obs_ratelimit::{LeaseConfig, Limiter, MemoryStore, OnStoreFailure, Policy, Quota};

use crate::support::Faulty;
use crate::{SECRET, admission, node};

const LIMIT: Quota = Quota::concurrency(4);

fn fleet(count: usize, config: LeaseConfig) -> (ManualClock, Arc<Faulty>, Vec<Limiter>) {
    let clock = ManualClock::default();
    let store = Arc::new(Faulty::new(MemoryStore::new(clock.clock(), 64)));
    let node = || node(&clock, store.clone(), LIMIT, false, config);
    let nodes = std::iter::repeat_with(node).take(count).collect();
    (clock, store, nodes)
}

async fn place(limiter: &Limiter) -> Option<Permit> {
    match admission(limiter, "acme").await {
        Admission::Admitted(permit) => Some(permit),
        _ => None,
    }
}

/// Lets time pass for the nodes' clocks and for their tasks.
async fn pass(clock: &ManualClock, time: Duration) {
    clock.advance(time);
    tokio::time::sleep(time).await;
}

#[tokio::test(start_paused = true)]
async fn a_fleet_runs_no_more_than_its_limit_at_the_same_time() {
    let (clock, _, nodes) = fleet(3, LeaseConfig::new());
    let mut running = Vec::new();
    for round in 0..12 {
        running.extend(place(&nodes[round % 3]).await);
    }
    assert!(running.len() <= 4, "{}", running.len());
    assert!(running.len() >= 3, "{}", running.len());
    // What ended on one node is free for another as soon as the node has let go of it.
    running.drain(..).for_each(|permit| permit.settle(Outcome::Success));
    for _ in 0..4 {
        pass(&clock, Duration::from_millis(500)).await;
    }
    for _ in 0..8 {
        running.extend(place(&nodes[2]).await);
        pass(&clock, Duration::from_millis(700)).await;
    }
    assert_eq!(running.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_place_is_renewed_as_long_as_its_request_runs() {
    let (clock, _, nodes) = fleet(2, LeaseConfig::new().place_age(Duration::from_secs(3)));
    let mut running = Vec::new();
    for _ in 0..6 {
        running.extend(place(&nodes[0]).await);
        pass(&clock, Duration::from_millis(600)).await;
    }
    assert_eq!(running.len(), 4);
    for _ in 0..40 {
        pass(&clock, Duration::from_millis(500)).await;
        assert!(place(&nodes[1]).await.is_none(), "all places are taken");
    }
}

#[tokio::test(start_paused = true)]
async fn rl_27_the_places_of_a_node_that_died_are_free_after_their_time() {
    let (clock, _, mut nodes) = fleet(2, LeaseConfig::new().place_age(Duration::from_secs(3)));
    let mut running = Vec::new();
    for _ in 0..6 {
        running.extend(place(&nodes[0]).await);
        pass(&clock, Duration::from_millis(600)).await;
    }
    assert!(place(&nodes[1]).await.is_none());
    // It dies without a word: nobody settles its requests, and nobody renews.
    std::mem::forget(running);
    nodes.remove(0);
    clock.advance(Duration::from_secs(4));
    let mut after = Vec::new();
    for _ in 0..6 {
        after.extend(place(&nodes[0]).await);
        clock.advance(Duration::from_millis(700));
    }
    assert!(!after.is_empty() && after.len() <= 4, "{}", after.len());
}

#[tokio::test(start_paused = true)]
async fn rl_16_requests_that_wait_for_places_make_one_call_and_lose_none() {
    let (_, store, nodes) = fleet(1, LeaseConfig::new());
    store.answer_after(Duration::from_millis(10));
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let limiter = nodes[0].clone();
        waiting.spawn(async move { place(&limiter).await });
    }
    let got: Vec<_> = waiting.join_all().await.into_iter().flatten().collect();
    assert_eq!(got.len(), 4);
    assert!(store.takes() <= 3, "{} calls", store.takes());
}

#[tokio::test(start_paused = true)]
async fn rl_31_without_its_store_a_node_runs_its_share() {
    let config = LeaseConfig::new().max_nodes(2).on_store_failure(OnStoreFailure::ShareLocal);
    let (clock, store, nodes) = fleet(1, config);
    store.hang();
    let mut running = Vec::new();
    for _ in 0..20 {
        let start = tokio::time::Instant::now();
        running.extend(place(&nodes[0]).await);
        assert!(start.elapsed() <= Duration::from_millis(51), "the store's time-out");
        clock.advance(Duration::from_millis(100));
    }
    assert_eq!(running.len(), 2, "half of four");
    let headers = running[0].take_headers().unwrap();
    assert_eq!(headers["x-ratelimit-fallback"], "share");
}

#[tokio::test(start_paused = true)]
async fn a_strict_limit_on_concurrency_is_refused_when_it_is_built_and_says_why() {
    let clock = ManualClock::default();
    let store = Arc::new(MemoryStore::new(clock.clock(), 64));
    let policy = Policy::builder("places", LIMIT).strict(store, LeaseConfig::new());
    let builder = Limiter::builder().fleet_secret(SECRET).policy(policy.build().unwrap());
    let error = builder.build().unwrap_err();
    assert_eq!(error.field(), "quota");
    assert!(error.to_string().contains("must be leased"), "{error}");
}
