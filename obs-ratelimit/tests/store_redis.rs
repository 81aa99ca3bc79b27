//! The Redis store on a running server and a running cluster, named by `OBS_TEST_REDIS` and
//! `OBS_TEST_REDIS_CLUSTER`.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use obs_core::environment::Environment;
use obs_ratelimit::{RedisStore, Store, StoreErrorKind, Take};
use support::conformance::{HOUR, Subject, bucket, new_key, take};
use support::proxy::{Proxy, Weather};
use support::{admitted, bear_without_a_store, open_over};

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

#[tokio::test]
async fn a_server_behind_bad_weather_fails_no_request() {
    for strict in [false, true] {
        for weather in [
            Weather::Silence,
            Weather::Cut,
            Weather::Late(Duration::from_secs(1)),
            Weather::Garbage(b"*4\r\n:9\r\n"),
        ] {
            let (proxy, store) = behind_a_proxy().await;
            let (limiter, counted) = open_over(store, strict);
            for _ in 0..50 {
                assert!(admitted(&limiter).await.is_some());
            }
            proxy.set(weather);
            bear_without_a_store(&limiter, &counted).await;
        }
    }
}

/// A server of this test's own.
struct Server(std::process::Child);

impl Server {
    async fn start() -> (Self, String) {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let mut command = std::process::Command::new("redis-server");
        let port = address.port().to_string();
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", "", "--daemonize", "no"]);
        let server = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        let server = Self(server);
        let up = async {
            while tokio::net::TcpStream::connect(address).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), up).await.expect("the server is up");
        (server, format!("redis://{address}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_in_the_middle_of_a_load_fails_no_request() {
    for strict in [false, true] {
        let (server, url) = Server::start().await;
        let (limiter, counted) = open_over(Arc::new(RedisStore::single(&url).unwrap()), strict);
        let mut load = tokio::task::JoinSet::new();
        let (begun, mut beginning) = tokio::sync::mpsc::unbounded_channel();
        for _ in 0..8 {
            let (limiter, begun) = (limiter.clone(), begun.clone());
            load.spawn(async move {
                let mut steps = Vec::new();
                for request in 0..400 {
                    steps.push(admitted(&limiter).await.expect("no request fails"));
                    if request == 50 {
                        begun.send(()).unwrap();
                    }
                }
                steps
            });
        }
        beginning.recv().await.unwrap();
        drop(server);
        let steps: Vec<String> = load.join_all().await.into_iter().flatten().collect();
        assert_eq!(steps.len(), 3_200);
        let told = |step: &str| steps.iter().filter(|it| *it == step).count() as u64;
        assert!(told("share") > 0, "strict {strict}");
        for step in ["share", "open"] {
            assert_eq!(counted.count("RateLimitFallbacks", &[step]), told(step), "{step}");
        }
    }
}

#[tokio::test]
async fn rl_38_a_replica_that_lags_gives_again_what_it_had_not_heard_of_and_no_more() {
    let client = redis::Client::open(part("OBS_TEST_REDIS")).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let (store, key, bucket) = (single().await, new_key(), bucket(10, HOUR, 10));
    let name = format!("rl-test:{{{key}}}");
    assert_eq!(take(&store, Take::new(key, bucket, 4)).await.tokens, 4);
    let lagging: String =
        redis::cmd("HGET").arg(&name).arg("t").query_async(&mut connection).await.unwrap();
    // Three more, of which the replica has not heard when it takes over.
    assert_eq!(take(&store, Take::new(key, bucket, 3)).await.tokens, 3);
    let set = redis::cmd("HSET").arg(&name).arg("t").arg(lagging).to_owned();
    let _: i64 = set.query_async(&mut connection).await.unwrap();
    let again = take(&store, Take::new(key, bucket, 10)).await.tokens;
    assert_eq!(again, 6, "three in excess of the bucket");
    // A key that was lost is a full bucket, once.
    let _: i64 = redis::cmd("DEL").arg(&name).query_async(&mut connection).await.unwrap();
    assert_eq!(take(&store, Take::new(key, bucket, 20)).await.tokens, 10);
    assert_eq!(take(&store, Take::new(key, bucket, 20)).await.tokens, 0);
}
