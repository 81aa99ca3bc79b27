//! What cannot be served is refused with a problem document and told in one true line each.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::json;
use shop::name::Name;
use support::{Answer, LocalShop, is_request_line, of, text};

/// A body of more than 10 MB.
fn ten_megabytes() -> Bytes {
    vec![b' '; 10_500_000].into()
}

fn order_of(product: &str, quantity: &str) -> Bytes {
    let line = format!(r#"{{"product_id":"{product}","quantity":{quantity}}}"#);
    format!(r#"{{"user_id":"ada","lines":[{line}]}}"#).into()
}

/// Whether `answer` is a problem document with this status and the correlation id it echoes.
fn assert_problem(answer: &Answer, status: u16, what: &str) {
    assert_eq!(answer.status.as_u16(), status, "{what}: {answer:?}");
    assert_eq!(answer.header("content-type"), "application/problem+json", "{what}");
    let problem = answer.json();
    assert_eq!(problem["status"], status, "{what}");
    assert_eq!(problem["correlation_id"], answer.header("x-correlation-id"), "{what}");
    assert_ne!(problem["title"], json!(null), "{what}");
    assert_ne!(problem["detail"], json!(null), "{what}");
}

/// An id, a request, the status of its answer, and the service that refuses it behind the gateway.
type Case = (&'static str, Method, &'static str, Bytes, u16, Option<&'static str>);

fn cases() -> Vec<Case> {
    vec![
        ("no-json", Method::POST, "/api/orders", "{\"user_id\":".into(), 400, Some("order")),
        ("no-body", Method::POST, "/api/orders", "".into(), 400, Some("order")),
        ("no-rule", Method::POST, "/api/orders", "{}".into(), 422, Some("order")),
        ("no-product", Method::POST, "/api/orders", order_of("nix", "1"), 422, Some("order")),
        ("none", Method::POST, "/api/orders", order_of("prod-001", "0"), 422, Some("order")),
        (
            "many",
            Method::POST,
            "/api/orders",
            order_of("prod-001", "1000000000000"),
            422,
            Some("order"),
        ),
        ("float", Method::POST, "/api/orders", order_of("prod-001", "1e12"), 422, Some("order")),
        ("large", Method::POST, "/api/orders", ten_megabytes(), 413, None),
        ("show", Method::GET, "/api/products/nix", "".into(), 404, Some("product")),
        ("order", Method::GET, "/api/orders/nix", "".into(), 404, Some("order")),
        ("stock", Method::GET, "/api/inventory/nix", "".into(), 404, Some("inventory")),
        (
            "shelf",
            Method::PUT,
            "/api/inventory/prod-001",
            r#"{"quantity":-1}"#.into(),
            422,
            Some("inventory"),
        ),
        (
            "cart",
            Method::POST,
            "/api/cart/ada",
            r#"{"product_id":"prod-001","quantity":0}"#.into(),
            422,
            Some("cart"),
        ),
        ("user", Method::GET, "/api/cart/a%00b", "".into(), 404, Some("cart")),
        ("method", Method::DELETE, "/api/orders", "".into(), 405, None),
        ("path", Method::GET, "/api/nothing", "".into(), 404, None),
        ("inside", Method::POST, "/api/orders/settle", "".into(), 405, None),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_served_is_a_problem_and_one_line_per_service() {
    let shop = LocalShop::start().await;
    let gateway = shop.gateway();
    let cases = cases();
    for (id, method, path, body, status, _) in &cases {
        let headers = [("x-correlation-id", *id)];
        let answer = gateway.send(method.clone(), path, &headers, body.clone()).await;
        assert_problem(&answer, *status, id);
        assert_eq!(answer.header("x-correlation-id"), *id);
    }

    let remains = shop.stop().await;
    for (id, method, _, _, status, behind) in &cases {
        let lines = of(&remains.lines, id);
        let mut told: BTreeMap<&str, u64> = BTreeMap::new();
        for line in lines.iter().filter(|line| is_request_line(line)) {
            *told.entry(text(line, "service")).or_default() += 1;
            if ["gateway"].iter().chain(behind).any(|name| text(line, "service") == *name) {
                assert_eq!(line["status"], *status, "{id}: {line:?}");
                assert_eq!(text(line, "level"), "WARN", "{id}");
                assert_eq!(text(line, "method"), method.as_str(), "{id}");
                assert_eq!(text(line, "outcome"), "client_error", "{id}");
            }
        }
        for name in ["gateway"].iter().chain(behind) {
            assert_eq!(told.get(name), Some(&1), "{id}: one line of {name}: {lines:#?}");
        }
        assert!(told.values().all(|lines| *lines == 1), "{id}: {told:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_holds_without_the_gateway() {
    let shop = LocalShop::start().await;
    for (service, method, path, body, status) in [
        (Name::Order, Method::POST, "/orders", ten_megabytes(), 413),
        (Name::Order, Method::PATCH, "/orders", Bytes::new(), 405),
        (Name::Order, Method::GET, "/orders", Bytes::new(), 400),
        (Name::Inventory, Method::POST, "/inventory/reserve", "[".into(), 400),
        (Name::Cart, Method::POST, "/stress?memory_mb=100000", Bytes::new(), 422),
        (Name::Product, Method::GET, "/nothing", Bytes::new(), 404),
    ] {
        let answer = shop.client(service).send(method, path, &[], body).await;
        assert_problem(&answer, status, path);
    }
    shop.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_correlation_id_is_replaced_and_never_seen_again() {
    let long = "x".repeat(10_000);
    // What hyper lets through; CR, LF and NUL do not get past the client.
    let hostile =
        ["\"}{\"", "<script>alert(1)</script>", "a b;rm -rf", "caf\u{e9}", "\u{1b}[31m", &long];
    let shop = LocalShop::start().await;
    let gateway = shop.gateway();
    for id in hostile.iter().filter(|id| http::HeaderValue::from_bytes(id.as_bytes()).is_ok()) {
        let headers = [("x-correlation-id", *id)];
        let answer = gateway.send(Method::POST, "/api/orders", &headers, "{").await;
        assert_problem(&answer, 400, id);
        let given = answer.header("x-correlation-id").to_owned();
        assert_eq!(given.len(), 36, "a new one: {given}");
        let good = gateway.send(Method::GET, "/api/products", &headers, "").await;
        assert_eq!(good.status, StatusCode::OK);
    }
    let remains = shop.stop().await;
    for id in &hostile {
        assert!(!remains.text.contains(id), "{id} stands in a line");
        let escaped = serde_json::to_string(id).unwrap();
        assert!(!remains.text.contains(escaped.trim_matches('"')), "{id} stands in a line");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_beyond_its_limit_is_refused_and_others_are_not() {
    let environment = obs_core::environment::Environment::from([
        ("SHOP_RATE_LIMIT_PER_SECOND", "1"),
        ("SHOP_RATE_LIMIT_BURST", "3"),
    ]);
    let shop = LocalShop::start_with(environment).await;
    let gateway = shop.gateway();
    let get = |tenant: &'static str, id: &'static str| {
        let gateway = gateway.clone();
        async move {
            let headers = [("x-tenant-id", tenant), ("x-correlation-id", id)];
            gateway.send(Method::GET, "/api/products", &headers, "").await
        }
    };
    for _ in 0..3 {
        let answer = get("greedy", "within").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("x-ratelimit-limit"), "3");
        assert!(answer.header("ratelimit-policy").starts_with("\"tenant\";q=3"), "{answer:?}");
    }
    let mut refused = get("greedy", "beyond").await;
    // A second may pass on a slow machine; then the bucket holds one more.
    while refused.status == StatusCode::OK {
        refused = get("greedy", "beyond").await;
    }
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.header("content-type"), "application/problem+json");
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.json()["correlation_id"], "beyond");
    assert_eq!(get("modest", "other").await.status, StatusCode::OK);

    let remains = shop.stop().await;
    let refusal = of(&remains.lines, "beyond").into_iter().rfind(|line| line["status"] == 429);
    let refusal = refusal.expect("the refusal has its line");
    assert_eq!(text(refusal, "outcome"), "rejected_rate_limit");
    assert_eq!(text(refusal, "tenant_id"), "greedy");
}
