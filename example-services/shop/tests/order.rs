//! One order, seen from everywhere: one trace, one correlation id, all services that take part.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::collections::BTreeSet;

use http::{Method, StatusCode};
use obs_core::clock::Clock;
use serde_json::json;
use shop::name::Name;
use support::local::Remains;
use support::{Client, LocalShop, is_request_line, of, text};

/// Those that take part, from the cart to the message that the order is sent.
const SERVICES: [&str; 10] = [
    "analytics",
    "cart",
    "gateway",
    "inventory",
    "loyalty",
    "notification",
    "order",
    "payment",
    "product",
    "shipping",
];

async fn order_from_cart(client: &Client, headers: &[(&str, &str)]) -> support::Answer {
    let item = json!({"product_id": "prod-001", "quantity": 2});
    assert_eq!(client.post("/api/cart/ada", &[], &item).await.status, StatusCode::OK);
    client.post("/api/orders", headers, &json!({"user_id": "ada", "from_cart": true})).await
}

/// Waits until nothing more happens to the order; says how it ended.
async fn end_of(shop: &LocalShop, order: &support::Answer) -> String {
    let order = order.json();
    let id = order["order_id"].as_str().unwrap();
    let (gateway, notification) = (shop.gateway(), shop.client(Name::Notification));
    let (loyalty, analytics) = (shop.client(Name::Loyalty), shop.client(Name::Analytics));
    support::process::until_async(|| async {
        let told = notification.get(&format!("/outbox?order_id={id}")).await.json();
        let paid = loyalty.get("/loyalty/ada").await.json();
        let moves = analytics.get("/reports/stock-moves").await.json();
        let told = told["notifications"].as_array().unwrap().len();
        let status = gateway.get(&format!("/api/orders/{id}")).await.json()["status"].clone();
        let is_paid = paid["points"] != 0 && !moves["rows"].as_array().unwrap().is_empty();
        told == 2 && (is_paid || status == "PAYMENT_FAILED")
    })
    .await;
    let order = gateway.get(&format!("/api/orders/{id}")).await.json();
    order["status"].as_str().unwrap().to_owned()
}

fn services(remains: &Remains, correlation_id: &str) -> BTreeSet<String> {
    let lines = of(&remains.lines, correlation_id);
    lines.iter().map(|line| text(line, "service").to_owned()).collect()
}

/// The one trace id of all lines of the order; lines and spans agree about it.
fn the_trace_of(remains: &Remains, correlation_id: &str) -> String {
    let mut lines = of(&remains.lines, correlation_id);
    // Work on several events of the stream at once has a trace of its own, linked to this one.
    lines.retain(|line| text(line, "message") != "records processed");
    let traces: BTreeSet<_> = lines.iter().map(|line| text(line, "trace_id")).collect();
    assert_eq!(traces.len(), 1, "one trace: {lines:#?}");
    let trace = traces.first().unwrap().to_string();
    let with_trace = remains.lines.iter().filter(|line| text(line, "trace_id") == trace);
    let with_trace = with_trace.filter(|line| text(line, "message") != "records processed");
    assert_eq!(with_trace.count(), lines.len(), "no line of the trace has another correlation id");
    trace
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_one_trace_and_one_correlation_id_over_all_services() {
    let shop = LocalShop::start().await;
    let answer = order_from_cart(&shop.gateway(), &[("x-correlation-id", "order-1")]).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.header("x-correlation-id"), "order-1");
    let order = answer.json();
    assert_eq!((&order["status"], &order["total_minor"]), (&json!("PENDING"), &json!(2_580)));
    let cart = shop.gateway().get("/api/cart/ada").await.json();
    assert_eq!(cart["items"], json!([]), "the cart is cleared");
    assert_eq!(end_of(&shop, &answer).await, "SHIPPED");

    let remains = shop.stop().await;
    assert_eq!(services(&remains, "order-1"), SERVICES.map(str::to_owned).into());
    let trace = the_trace_of(&remains, "order-1");

    let spans: Vec<_> =
        remains.spans.iter().filter(|(_, span)| span.trace_id.to_string() == trace).collect();
    let ids: BTreeSet<_> = spans.iter().map(|(_, span)| span.span_id).collect();
    let orphans: Vec<_> = spans
        .iter()
        .filter(|(_, span)| span.parent_span_id.is_none_or(|parent| !ids.contains(&parent)))
        .collect();
    assert_eq!(orphans.len(), 1, "only the gateway's span has no parent: {orphans:#?}");
    assert_eq!(orphans[0].0, Name::Gateway);
    let observed: BTreeSet<_> = spans.iter().map(|(name, _)| name.as_str().to_owned()).collect();
    assert_eq!(observed, SERVICES.map(str::to_owned).into());
    for inner in ["handler.CreateOrder", "order.reserve", "stock.reserve", "handler.GetCart"] {
        assert!(spans.iter().any(|(_, span)| span.name.as_str() == inner), "no span {inner}");
    }
    let lines = of(&remains.lines, "order-1");
    for line in lines.iter().filter(|line| is_request_line(line)) {
        let span = spans.iter().find(|(_, span)| span.span_id.to_string() == text(line, "span_id"));
        let (service, _) = span.expect("each request line names a span of the trace");
        assert_eq!(service.as_str(), text(line, "service"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_traceparent_of_the_client_is_continued() {
    let shop = LocalShop::start().await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let headers = [("x-correlation-id", "order-2"), ("traceparent", parent.as_str())];
    let answer = order_from_cart(&shop.gateway(), &headers).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(end_of(&shop, &answer).await, "SHIPPED");

    let remains = shop.stop().await;
    assert_eq!(the_trace_of(&remains, "order-2"), trace);
    assert_eq!(services(&remains, "order-2"), SERVICES.map(str::to_owned).into());
    let continued = remains.spans.iter().find(|(name, span)| {
        *name == Name::Gateway
            && span.parent_span_id.is_some_and(|id| id.to_string() == "00f067aa0ba902b7")
    });
    assert!(continued.is_some(), "the gateway's span is the child of the client's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_a_load_balancer_began_is_continued() {
    let shop = LocalShop::start().await;
    // The epoch of a load balancer's id is the present: X-Ray takes no old ones.
    let epoch = format!("{:08x}", Clock::system().wall().unix_seconds());
    let root = format!("Root=1-{epoch}-abcdef012345678912345678");
    let headers = [("x-correlation-id", "order-3"), ("x-amzn-trace-id", root.as_str())];
    let answer = order_from_cart(&shop.gateway(), &headers).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(end_of(&shop, &answer).await, "SHIPPED");

    let remains = shop.stop().await;
    assert_eq!(the_trace_of(&remains, "order-3"), format!("{epoch}abcdef012345678912345678"));
    assert_eq!(services(&remains, "order-3"), SERVICES.map(str::to_owned).into());
    for line in of(&remains.lines, "order-3") {
        assert_eq!(text(line, "xray_trace_id"), root.trim_start_matches("Root="));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn services_in_one_process_never_mix_their_identities() {
    let shop = LocalShop::start().await;
    let gateway = shop.gateway();
    let mut requests = tokio::task::JoinSet::new();
    for number in 0..400 {
        let client = gateway.clone();
        requests.spawn(async move {
            let (path, id, tenant) = match number % 2 {
                0 => ("/api/products/prod-001", format!("product-{number}"), "t-even"),
                _ => ("/api/cart/bob", format!("cart-{number}"), "t-odd"),
            };
            let headers = [("x-correlation-id", id.as_str()), ("x-tenant-id", tenant)];
            let answer = client.send(Method::GET, path, &headers, "").await;
            assert_eq!((answer.status, answer.header("x-correlation-id")), (StatusCode::OK, &*id));
        });
    }
    while let Some(done) = requests.join_next().await {
        done.unwrap();
    }

    let remains = shop.stop().await;
    let mut traces = BTreeSet::new();
    for number in 0..400 {
        let (service, tenant, route) = match number % 2 {
            0 => ("product", "t-even", "/products/{product_id}"),
            _ => ("cart", "t-odd", "/v1/cart/{user_id}"),
        };
        let id = format!("{service}-{number}");
        let lines = of(&remains.lines, &id);
        let requests: Vec<_> = lines.iter().filter(|line| is_request_line(line)).collect();
        let seen: BTreeSet<_> =
            requests.iter().map(|line| (text(line, "service"), text(line, "route"))).collect();
        let outside = format!("/api{}", route.trim_start_matches("/v1"));
        assert_eq!(seen, BTreeSet::from([("gateway", &*outside), (service, route)]), "{id}");
        assert_eq!(requests.len(), 2, "{id}: one line of each");
        for line in &lines {
            assert_eq!(text(line, "tenant_id"), tenant, "{id}");
        }
        traces.insert(the_trace_of(&remains, &id));
    }
    assert_eq!(traces.len(), 400, "each request has a trace of its own");
    for (service, span) in &remains.spans {
        let name = span.name.as_str();
        let foreign = match service {
            Name::Product => name.starts_with("cart.") || name.contains("/cart"),
            Name::Cart => name.starts_with("product") || name.contains("/products"),
            _ => false,
        };
        assert!(!foreign, "{service} has a span {name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_card_fails_the_order_and_frees_its_stock() {
    let shop = LocalShop::start().await;
    let gateway = shop.gateway();
    let body = json!({
        "user_id": "ada",
        "lines": [{"product_id": "prod-001", "quantity": 2}],
        "card": {"number": "4000000000000002"},
        "email": "ada.lovelace@example.com",
    });
    let placed = gateway.post("/api/orders", &[("x-correlation-id", "declined")], &body).await;
    assert_eq!(placed.status, StatusCode::CREATED);
    assert_eq!(end_of(&shop, &placed).await, "PAYMENT_FAILED");
    let order = placed.json();
    let id = order["order_id"].as_str().unwrap();
    let order = gateway.get(&format!("/api/orders/{id}")).await.json();
    assert_eq!(order["reason"], "card_declined");
    support::process::until_async(|| async {
        gateway.get("/api/inventory/prod-001").await.json()["available"] == 1_000
    })
    .await;
    let log = shop.client(Name::Payment).get(&format!("/transactions/{id}")).await.json();
    let [transaction] = &log["transactions"].as_array().unwrap()[..] else { panic!("{log}") };
    assert_eq!(
        (&transaction["outcome"], &transaction["method"]["last4"]),
        (&json!("declined"), &json!("0002"))
    );
    assert_eq!(shop.client(Name::Loyalty).get("/loyalty/ada").await.json()["points"], 0);

    let remains = shop.stop().await;
    let spans = format!("{:?}", remains.spans);
    for secret in ["4000000000000002", "ada.lovelace"] {
        assert!(!remains.text.contains(secret), "a line tells {secret}");
        assert!(!spans.contains(secret), "a span tells {secret}");
    }
}
