//! Carts and the cache on a Redis that runs, which `OBS_TEST_REDIS` names.

#![cfg(feature = "real-parts")]
#![allow(clippy::unwrap_used, reason = "these are tests")]

use obs_core::clock::Clock;
use obs_core::control::Registry;
use obs_core::environment::Environment;
use obs_core::metric::disabled;
use shop_domain::conformance;
use shop_store::{RedisCache, RedisCarts};

/// A database of the server that is empty, one for each test.
async fn database(number: u8) -> String {
    let environment = Environment::process();
    let server = environment.get("OBS_TEST_REDIS").expect("OBS_TEST_REDIS names a running Redis");
    let url = format!("{}/{number}", server.trim_end_matches('/'));
    let client = redis::Client::open(url.as_str()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    redis::cmd("FLUSHDB").query_async::<()>(&mut connection).await.unwrap();
    url
}

async fn carts(number: u8) -> RedisCarts {
    RedisCarts::new(&database(number).await, &Clock::system(), disabled()).unwrap()
}

#[tokio::test]
async fn adding_is_atomic() {
    conformance::carts::adding_is_atomic(&carts(10).await).await;
}

#[tokio::test]
async fn a_full_cart_stays_as_it_is() {
    conformance::carts::a_full_cart_stays_as_it_is(&carts(11).await).await;
}

#[tokio::test]
async fn clearing_empties_one_cart() {
    conformance::carts::clearing_empties_one_cart(&carts(12).await).await;
}

#[tokio::test]
async fn the_cache_keeps_its_contract() {
    let url = database(13).await;
    let cache = RedisCache::new(&url, &Registry::default(), disabled()).unwrap();
    conformance::cache::what_was_set_last_is_found(&cache).await;
    conformance::cache::a_time_of_nothing_keeps_nothing(&cache).await;
}

#[tokio::test]
async fn a_server_that_runs_answers_the_ping() {
    carts(14).await.pool().ping().await.unwrap();
}
