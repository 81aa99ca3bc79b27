//! What is sold is there, and what is there is sold once.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use http::{Method, StatusCode};
use obs_core::environment::Environment;
use serde_json::{Value, json};
use shop::name::Name;
use support::{Client, LocalShop};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

fn order(user: &str, product: &str, quantity: u32) -> Value {
    json!({"user_id": user, "lines": [{"product_id": product, "quantity": quantity}]})
}

async fn level(client: &Client, product: &str) -> (u64, u64) {
    let level = client.get(&format!("/api/inventory/{product}")).await.json();
    (level["quantity"].as_u64().unwrap(), level["reserved"].as_u64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_concurrent_orders_for_ten_items_sell_ten() {
    let shop = LocalShop::without(Name::Payment).await;
    let gateway = shop.gateway();
    let filled = gateway.put("/api/inventory/prod-003", &json!({"quantity": 10})).await;
    assert_eq!(filled.status, StatusCode::OK);

    let together = Arc::new(Barrier::new(1_000));
    let mut orders = JoinSet::new();
    for number in 0..1_000 {
        let (client, together) = (gateway.clone(), Arc::clone(&together));
        orders.spawn(async move {
            let tenant = format!("tenant-{}", number % 50);
            together.wait().await;
            let body = order(&format!("user-{number}"), "prod-003", 1);
            let answer = client.post("/api/orders", &[("x-tenant-id", &tenant)], &body).await;
            (answer.status, answer.json())
        });
    }
    let mut sold = BTreeSet::new();
    while let Some(answer) = orders.join_next().await {
        let (status, body) = answer.unwrap();
        match status {
            StatusCode::CREATED => {
                assert!(
                    sold.insert(body["order_id"].as_str().unwrap().to_owned()),
                    "twice: {body}"
                );
            }
            StatusCode::CONFLICT => assert_eq!(body["available"], 0, "{body}"),
            other => panic!("{other}: {body}"),
        }
    }
    assert_eq!(sold.len(), 10);
    assert_eq!(level(&gateway, "prod-003").await, (10, 10));
    for id in &sold {
        let order = gateway.get(&format!("/api/orders/{id}")).await;
        assert_eq!(order.status, StatusCode::OK);
    }
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idempotency_key_stands_for_one_order() {
    let shop = LocalShop::without(Name::Payment).await;
    let gateway = shop.gateway();
    let place = |tenant: &'static str, body: Value| {
        let gateway = gateway.clone();
        async move {
            let headers = [("idempotency-key", "key-1"), ("x-tenant-id", tenant)];
            gateway.post("/api/orders", &headers, &body).await
        }
    };
    let first = place("acme", order("ada", "prod-002", 1)).await;
    let again = place("acme", order("ada", "prod-002", 1)).await;
    assert_eq!((first.status, again.status), (StatusCode::CREATED, StatusCode::CREATED));
    assert_eq!(first.json()["order_id"], again.json()["order_id"]);
    assert_eq!(level(&gateway, "prod-002").await.1, 1, "reserved once");

    let other = place("acme", order("ada", "prod-002", 2)).await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(other.header("content-type"), "application/problem+json");
    let stranger = place("other", order("ada", "prod-002", 2)).await;
    assert_eq!(stranger.status, StatusCode::CREATED, "another tenant's key is another key");
    let orders = gateway.get("/api/orders?user_id=ada").await.json();
    assert_eq!(orders["orders"].as_array().unwrap().len(), 2);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_sent_many_times_at_once_places_one_order() {
    let shop = LocalShop::without(Name::Payment).await;
    let gateway = shop.gateway();
    let mut requests = JoinSet::new();
    for _ in 0..50 {
        let client = gateway.clone();
        requests.spawn(async move {
            let headers = [("idempotency-key", "once")];
            client.post("/api/orders", &headers, &order("ada", "prod-002", 1)).await
        });
    }
    let mut ids = BTreeSet::new();
    while let Some(answer) = requests.join_next().await {
        let answer = answer.unwrap();
        match answer.status {
            StatusCode::CREATED => drop(ids.insert(answer.json()["order_id"].to_string())),
            StatusCode::CONFLICT => assert_eq!(answer.header("retry-after"), "1"),
            other => panic!("{other}"),
        }
    }
    assert_eq!(ids.len(), 1);
    assert_eq!(level(&gateway, "prod-002").await.1, 1);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_refused_frees_its_key_and_its_stock() {
    let shop = LocalShop::without(Name::Payment).await;
    let gateway = shop.gateway();
    gateway.put("/api/inventory/prod-004", &json!({"quantity": 1})).await;
    let headers = [("idempotency-key", "retry-me")];
    let lines = json!([{"product_id": "prod-005", "quantity": 3}, {"product_id": "prod-004", "quantity": 2}]);
    let body = json!({"user_id": "ada", "lines": lines});
    let refused = gateway.post("/api/orders", &headers, &body).await;
    assert_eq!(
        (refused.status, &refused.json()["product_id"]),
        (StatusCode::CONFLICT, &json!("prod-004"))
    );
    assert_eq!(level(&gateway, "prod-005").await.1, 0, "all or nothing");

    gateway.put("/api/inventory/prod-004", &json!({"quantity": 2})).await;
    assert_eq!(gateway.post("/api/orders", &headers, &body).await.status, StatusCode::CREATED);
    assert_eq!(level(&gateway, "prod-005").await.1, 3);
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reservation_without_an_order_runs_out_and_one_with_an_order_does_not() {
    let environment = Environment::from([("SHOP_RESERVATION_TTL_MS", "200")]);
    let shop = LocalShop::start_plan(environment, &[Name::Payment]).await;
    let gateway = shop.gateway();
    let accepted = gateway.post("/api/orders", &[], &order("ada", "prod-002", 4)).await;
    assert_eq!(accepted.status, StatusCode::CREATED);
    let stray = json!({"order_id": "stray", "lines": [{"product_id": "prod-002", "quantity": 3}]});
    let stray = shop.client(Name::Inventory).post("/inventory/reserve", &[], &stray).await;
    assert_eq!(stray.status, StatusCode::OK, "{stray:?}");

    // The stray one was made last, so by the time it has run out the other has, too.
    support::process::until_async(|| async { level(&gateway, "prod-002").await.1 <= 4 }).await;
    assert_eq!(level(&gateway, "prod-002").await.1, 4);
    let remains = shop.stop().await;
    let kept: u64 = remains.lines.iter().filter_map(|line| line.get("kept")?.as_u64()).sum();
    let back: u64 = remains.lines.iter().filter_map(|line| line.get("given_back")?.as_u64()).sum();
    assert_eq!((kept, back), (1, 1), "one of each was settled");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stress_endpoint_works_within_its_bounds() {
    let shop = LocalShop::start().await;
    let cart = shop.client(Name::Cart);
    let load = "/stress?cpu_iterations=100000&memory_mb=4";
    let answer = cart.send(Method::POST, load, &[], "").await;
    assert_eq!(answer.status, StatusCode::OK);
    let done = answer.json();
    assert_eq!((&done["cpu_iterations"], &done["memory_mb"]), (&json!(100_000), &json!(4)));
    assert_eq!(done["primes"], 9_592, "the number of primes below 100,000 is known");
    shop.stop().await;
}
