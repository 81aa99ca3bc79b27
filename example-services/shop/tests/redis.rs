//! A Redis that goes and comes back, and what customers notice of it.

#![cfg(feature = "real-parts")]
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use http::{Method, StatusCode};
use obs_core::environment::Environment;
use serde_json::{Value, json};
use shop::name::Name;
use support::process::until_async;
use support::redis::Redis;
use support::{Client, LocalShop, of, text};

/// A shop whose carts and caches are on `redis`, once the carts are ready.
async fn shop_on(redis: &Redis) -> LocalShop {
    // The server may still be starting; the carts wait for it, the start of the shop does not.
    let url = redis.url();
    until_async(|| async {
        let client = tokio::net::TcpStream::connect(url.trim_start_matches("redis://")).await;
        client.is_ok()
    })
    .await;
    let url: &'static str = url.leak();
    LocalShop::start_with(Environment::from([("SHOP_REDIS_URL", url)])).await
}

async fn healthz(cart: &Client) -> StatusCode {
    cart.get("/healthz").await.status
}

async fn add(cart: &Client, pieces: u32) -> support::Answer {
    let item = json!({"product_id": "prod-001", "quantity": pieces});
    cart.post("/v1/cart/ada", &[("x-correlation-id", "redis-1")], &item).await
}

fn caches(lines: &[support::Line]) -> Vec<&str> {
    let of_product = lines.iter().filter(|line| text(line, "service") == "product");
    of_product.map(|line| text(line, "cache")).filter(|cache| !cache.is_empty()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_away_carts_say_so_products_go_on_and_all_recovers_by_itself() {
    let mut redis = Redis::start();
    let shop = shop_on(&redis).await;
    let (cart, gateway) = (shop.client(Name::Cart), shop.gateway());
    assert_eq!(healthz(&cart).await, StatusCode::OK);
    assert_eq!(add(&cart, 2).await.status, StatusCode::OK);
    let read = |id: &'static str| {
        let gateway = gateway.clone();
        async move {
            let headers = [("x-correlation-id", id)];
            let path = "/api/products/prod-001";
            let answer = gateway.send(Method::GET, path, &headers, "").await;
            assert_eq!(answer.status, StatusCode::OK, "{id}");
            assert_eq!(answer.json()["price_minor"], 1_290, "{id}");
        }
    };
    read("first").await;
    read("hit").await;

    redis.stop();
    // Nobody asked for a cart meanwhile: the checks found out by themselves, of which the next one
    // comes, and gives up, within 2 s.
    until_async(|| async { healthz(&cart).await == StatusCode::SERVICE_UNAVAILABLE }).await;
    let health = gateway.get("/api/cart/health").await;
    assert_eq!(health.status, StatusCode::SERVICE_UNAVAILABLE);
    read("away").await;
    let refused = add(&cart, 1).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "after all attempts");
    assert_eq!(refused.header("retry-after"), "1");

    // A request that comes while it is away waits for it, within its attempts.
    let waiting = tokio::spawn({
        let cart = cart.clone();
        async move { add(&cart, 3).await }
    });
    redis.start_again();
    let added = waiting.await.unwrap();
    assert_eq!(added.status, StatusCode::OK, "{added:?}");
    // Added once: what was refused, and what was tried again, did not come twice.
    assert_eq!(added.json()["items"], json!([{"product_id": "prod-001", "quantity": 3}]));
    until_async(|| async { healthz(&cart).await == StatusCode::OK }).await;
    // The cache's breaker lets the first one through again after a second.
    let hits = || async {
        let cached = gateway.get("/api/products/prod-002").await;
        assert_eq!(cached.status, StatusCode::OK);
        redis_holds(&redis.url(), "product:prod-002").await
    };
    until_async(hits).await;
    read("back").await;

    let remains = shop.stop().await;
    let cache = |id: &str| {
        let lines: Vec<_> = of(&remains.lines, id).into_iter().cloned().collect();
        caches(&lines).first().map(|cache| (*cache).to_owned())
    };
    assert_eq!(cache("first").as_deref(), Some("miss"));
    assert_eq!(cache("hit").as_deref(), Some("hit"));
    assert_eq!(cache("away").as_deref(), Some("miss"), "it goes on without its cache");
    let retries: u64 = remains.lines.iter().filter_map(retries_of).sum();
    assert!(retries >= 5, "{retries} further attempts to connect were counted");
}

/// How many further attempts to connect a line of metrics of the cart service counts.
fn retries_of(line: &support::Line) -> Option<u64> {
    let of_cart = text(line, "Service") == "cart" && text(line, "Retry") == "redis";
    if of_cart && text(line, "Result") == "made" {
        line.get("Retries").and_then(Value::as_u64)
    } else {
        None
    }
}

async fn redis_holds(url: &str, key: &str) -> bool {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = url.trim_start_matches("redis://");
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    connection.write_all(format!("EXISTS {key}\r\n").as_bytes()).await.unwrap();
    let mut answer = [0; 4];
    connection.read_exact(&mut answer).await.unwrap();
    answer == *b":1\r\n"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_was_started_again_costs_no_request() {
    let mut redis = Redis::start();
    let shop = shop_on(&redis).await;
    let cart = shop.client(Name::Cart);
    // Several connections, all of which break.
    let many = |count: usize| {
        let requests = (0..count).map(|_| {
            let cart = cart.clone();
            async move { add(&cart, 1).await.status }
        });
        futures_util::future::join_all(requests)
    };
    assert!(many(20).await.iter().all(|status| *status == StatusCode::OK));
    redis.stop();
    redis.start_again();
    let statuses = many(20).await;
    assert!(statuses.iter().all(|status| *status == StatusCode::OK), "{statuses:?}");
    let held = cart.get("/v1/cart/ada").await.json();
    assert_eq!(held["items"][0]["quantity"], 20, "each was added once");
    shop.stop().await;
}
