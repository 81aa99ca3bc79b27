//! The Redis store on a running server and a running cluster, named by `OBS_TEST_REDIS` and
//! `OBS_TEST_REDIS_CLUSTER`.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use obs_core::admit::{Admission, Admit};
use obs_core::environment::Environment;
use obs_ratelimit::{
    LeaseConfig, Limiter, OnStoreFailure, Policy, Quota, RedisStore, Store, StoreErrorKind, Take,
};
use support::conformance::{HOUR, Subject, bucket, new_key, take};
use support::proxy::{Proxy, Weather};
use support::request;

fn part(name: &str) -> String {
    let environment = Environment::process();
    environment.get(name).unwrap_or_else(|| panic!("{name} names no running server")).to_owned()
}

async fn single() -> Subject {
    Arc::new(RedisStore::single(&part("OBS_TEST_REDIS")).unwrap().prefix("rl-test"))
}

mod on_one_server {
    use super::{single, support};

    crate::store_conformance!(single());
}

async fn cluster() -> Subject {
    let urls = part("OBS_TEST_REDIS_CLUSTER");
    let urls: Vec<&str> = urls.split(',').collect();
    Arc::new(RedisStore::cluster(&urls).unwrap().prefix("rl-test"))
}

mod in_a_cluster {
    use super::{cluster, support};

    crate::store_conformance!(cluster());
}

#[tokio::test]
async fn keys_of_every_slot_are_served_by_the_cluster() {
    let store = cluster().await;
    let bucket = bucket(10, HOUR, 1);
    for _ in 0..64 {
        let key = new_key();
        assert_eq!(take(&store, Take::new(key, bucket, 1)).await.tokens, 1);
        assert_eq!(take(&store, Take::new(key, bucket, 1)).await.tokens, 0);
    }
}

#[tokio::test]
async fn a_bucket_outlives_its_debt_and_then_is_cleaned_up() {
    let url = part("OBS_TEST_REDIS");
    let (store, key) = (single().await, new_key());
    let wanted = Take::new(key, bucket(10, HOUR, 10), 5);
    assert_eq!(take(&store, wanted).await.tokens, 5);
    let client = redis::Client::open(url).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let left: i64 = redis::cmd("PTTL")
        .arg(format!("rl-test:{{{key}}}"))
        .query_async(&mut connection)
        .await
        .unwrap();
    // Five tokens of 360 s, and a second.
    assert!((1_790_000..=1_802_000).contains(&left), "{left} ms");
}

async fn behind_a_proxy() -> (Proxy, Subject) {
    let url = part("OBS_TEST_REDIS");
    let proxy = Proxy::before(url.trim_start_matches("redis://")).await;
    let url = format!("redis://{}", proxy.address);
    (proxy, Arc::new(RedisStore::single(&url).unwrap().prefix("rl-test")))
}

#[tokio::test]
async fn rl_33_garbage_is_an_error_and_the_bucket_is_as_before() {
    let (proxy, store) = behind_a_proxy().await;
    let (key, bucket) = (new_key(), bucket(10, HOUR, 3));
    assert_eq!(take(&store, Take::new(key, bucket, 3)).await.tokens, 3);
    for garbage in
        [&b"*4\r\n:9\r\n:9\r\n:9\r\n:9\r\n"[..], b":1\r\n", b"\x00\xff\r\n\r\n", b"+OK\r\n"]
    {
        proxy.set(Weather::Garbage(garbage));
        let wait = Duration::from_secs(3);
        let answer = tokio::time::timeout(wait, store.take(Take::new(key, bucket, 1))).await;
        assert!(!matches!(answer, Ok(Ok(_))), "{garbage:?} is no grant");
        proxy.set(Weather::Fair);
    }
    let mut refused = None;
    for _ in 0..200 {
        // It takes some calls to notice that the connection is of no use, and to make another.
        refused = store.take(Take::new(key, bucket, 1)).await.ok();
        if refused.is_some() {
            break;
        }
    }
    assert_eq!(refused.unwrap().tokens, 0, "the bucket is as empty as before");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let store = RedisStore::single("redis://127.0.0.1:1").unwrap();
    let error = store.take(Take::new(new_key(), bucket(10, HOUR, 3), 1)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
}

async fn admitted(limiter: &Limiter) -> Option<String> {
    let admission = match limiter.admit(&request("acme")) {
        Admission::Pending(pending) => pending.await,
        decided => decided,
    };
    let Admission::Admitted(mut permit) = admission else { return None };
    let headers = permit.take_headers().unwrap_or_default();
    let step = headers.get("x-ratelimit-fallback").map(|it| it.to_str().unwrap().to_owned());
    Some(step.unwrap_or_default())
}

#[tokio::test]
async fn a_server_cut_off_in_the_middle_of_a_load_fails_no_request() {
    for weather in [Weather::Silence, Weather::Cut, Weather::Late(Duration::from_secs(1))] {
        let (proxy, store) = behind_a_proxy().await;
        let config = LeaseConfig::new().on_store_failure(OnStoreFailure::Open);
        let policy = Policy::builder("shared", Quota::per_second(100_000)).strict(store, config);
        let secret = new_key().bits().to_be_bytes();
        let limiter = Limiter::builder().fleet_secret(secret).policy(policy.build().unwrap());
        let limiter = limiter.build().unwrap();
        // The first call also connects, which may take longer than a call may.
        for _ in 0..50 {
            assert!(admitted(&limiter).await.is_some());
        }
        proxy.set(weather);
        let mut steps = Vec::new();
        for _ in 0..50 {
            steps.push(admitted(&limiter).await.expect("no request fails for a missing store"));
        }
        assert!(steps.iter().any(|step| step == "share"), "{weather:?}: {steps:?}");
    }
}
