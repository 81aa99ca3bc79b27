//! `shop verify order`: every hop of a fresh order is there, and each that is not is noticed.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use http::StatusCode;
use serde_json::{Value, json};
use support::ShopProcess;
use support::command::{shop, until_good};
use support::process::until_async;

/// Long enough for what is written every 5 s.
const ATTEMPTS: usize = 60;

/// Places an order from a cart and waits for its end.
async fn order(process: &ShopProcess, card: &str, contact: (&str, &str), ends: &str) -> String {
    let gateway = process.gateway();
    let item = json!({"product_id": "prod-001", "quantity": 2});
    assert_eq!(gateway.post("/api/cart/ada", &[], &item).await.status, StatusCode::OK);
    let body = json!({
        "user_id": "ada", "from_cart": true,
        "card": {"number": card}, contact.0: contact.1,
    });
    let placed = gateway.post("/api/orders", &[], &body).await;
    assert_eq!(placed.status, StatusCode::CREATED);
    let id = placed.json()["order_id"].as_str().unwrap().to_owned();
    until_async(|| async {
        let order = gateway.get(&format!("/api/orders/{id}")).await.json();
        order["status"] == ends
    })
    .await;
    id
}

/// The files of lines or spans.
fn files(data: &Path, kind: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(data.join("telemetry")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.to_str().unwrap().contains(kind)).collect()
}

/// Keeps of every line and span what `keep` gives back; returns what the files held before.
fn rewrite(
    data: &Path,
    kind: &str,
    keep: impl Fn(Value) -> Option<Value>,
) -> Vec<(PathBuf, String)> {
    let mut before = Vec::new();
    for path in files(data, kind) {
        let text = std::fs::read_to_string(&path).unwrap();
        let kept = text.lines().filter_map(|line| keep(serde_json::from_str(line).unwrap()));
        let kept: String = kept.map(|line| format!("{line}\n")).collect();
        std::fs::write(&path, kept).unwrap();
        before.push((path, text));
    }
    before
}

fn restore(before: Vec<(PathBuf, String)>) {
    before.into_iter().for_each(|(path, text)| std::fs::write(path, text).unwrap());
}

/// A customer with a telephone is told by a short message; one whose address comes back is not told,
/// which is a hop of its own.
async fn the_channels_and_what_comes_back(data: &Path, process: &ShopProcess) {
    let (card, phone) = ("4242424242424242", ("phone", "+49 30 1234567"));
    let by_phone = order(process, card, phone, "SHIPPED").await;
    let (lost, nowhere) = ("FAIL  19", ("email", "ada@nowhere.invalid"));
    let undeliverable = order(process, card, nowhere, "SHIPPED").await;
    until_good(data, &["verify", "order", &by_phone], ATTEMPTS).await;
    let sent = process.client("notification").get(&format!("/outbox?order_id={by_phone}")).await;
    let sent = &sent.json()["notifications"];
    assert_eq!((&sent[0]["channel"], &sent[0]["to"]), (&json!("sms"), &json!("+***67")));

    let verify = ["verify", "order", &undeliverable];
    let said = until_good(data, &verify, ATTEMPTS).await;
    assert!(said.text.contains("ok    19 "), "{}", said.text);
    let third = |span: Value| {
        let attempt = &span["attributes"]["messaging.message.delivery_attempt"];
        (*attempt != "3").then_some(span)
    };
    let before = rewrite(data, "spans", third);
    let said = shop(data, &verify).await;
    assert!(!said.good && said.text.contains(lost), "{}", said.text);
    restore(before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_order_has_every_hop_and_one_that_is_missing_is_noticed() {
    let data = tempfile::tempdir().unwrap();
    let process = ShopProcess::up(data.path(), &[], Stdio::null()).await;
    let email = ("email", "ada@example.com");
    let id = order(&process, "4242424242424242", email, "SHIPPED").await;
    let declined = order(&process, "4000000000000002", email, "PAYMENT_FAILED").await;
    let verify = ["verify", "order", &id];
    let said = until_good(data.path(), &verify, ATTEMPTS).await;
    for number in (1..=23).filter(|number| *number != 19) {
        assert!(said.text.contains(&format!("ok    {number:>2} ")), "{number}: {}", said.text);
    }
    let said = until_good(data.path(), &["verify", "order", &declined], ATTEMPTS).await;
    assert!(said.text.contains("ok    24 "), "{}", said.text);
    until_good(data.path(), &["verify", "orders"], ATTEMPTS).await;
    the_channels_and_what_comes_back(data.path(), &process).await;

    // Each span and line that is taken away, or told otherwise, is missed.
    let without = |name: &'static str| move |span: Value| (span["name"] != name).then_some(span);
    for (name, noticed) in [
        ("process shopfast-loyalty-queue", "FAIL  22"),
        ("shopfast-notifications publish", "FAIL  18 it is published"),
        ("process shopfast-email-queue", "FAIL  18 the customer is told"),
        ("state Payment", "FAIL  13"),
        ("process cloudcafe-analytics-stream", "FAIL  21"),
        ("shopfast-events publish", "FAIL   9"),
        ("stock.reserve", "FAIL  every span but the first has its parent"),
    ] {
        let before = rewrite(data.path(), "spans", without(name));
        let said = shop(data.path(), &verify).await;
        assert!(!said.good && said.text.contains(noticed), "{name}: {}", said.text);
        restore(before);
    }
    let foreign = |mut line: Value| {
        if line["message"] == "points credited" {
            line["correlation_id"] = json!("another");
        }
        Some(line)
    };
    let before = rewrite(data.path(), "lines", foreign);
    let said = shop(data.path(), &verify).await;
    assert!(!said.good && said.text.contains("FAIL  all lines have its correlation id"));
    restore(before);
    let silent = |line: Value| (line["message"] != "order charged").then_some(line);
    let before = rewrite(data.path(), "lines", silent);
    let said = shop(data.path(), &verify).await;
    assert!(!said.good && said.text.contains("FAIL  15"), "{}", said.text);
    restore(before);
    let nameless = |mut span: Value| {
        if span["name"] == "GET /products" {
            span["annotations"].as_object_mut().unwrap().remove("user_id");
        }
        Some(span)
    };
    let before = rewrite(data.path(), "spans", nameless);
    let said = shop(data.path(), &verify).await;
    assert!(!said.good && said.text.contains("FAIL  every span tells order_id and user_id"));
    restore(before);
    assert!(shop(data.path(), &verify).await.good);
    assert!(!shop(data.path(), &["verify", "order", "ord-unknown"]).await.good);

    let said = shop(data.path(), &["workflow", "history", &id, "--json"]).await.json();
    assert_eq!(
        (&said["workflow"], &said["status"]),
        (&json!("shopfast-order-workflow"), &json!("SUCCEEDED"))
    );
    let kinds: Vec<_> = said["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!((kinds[0], *kinds.last().unwrap()), ("ExecutionStarted", "ExecutionSucceeded"));
    assert!(kinds.contains(&"TaskSubmitted") && kinds.contains(&"ParallelStateStarted"));
    process.terminate().await;
}
