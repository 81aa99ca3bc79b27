//! The commands that look at a shop, or drive one, as runs of the built program.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use http::StatusCode;
use serde_json::{Value, json};
use shop::name::Name;
use support::ShopProcess;
use support::process::{free_ports, until_async};

/// What a command left behind.
#[derive(Debug)]
struct Told {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn good(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    fn bad(self) -> Self {
        assert_eq!(self.code, Some(1), "{self:?}");
        self
    }
}

/// Runs `shop` with the words of `line` on the data of a shop.
async fn shop(data: &Path, line: &str) -> Told {
    words(data, line.split(' ').map(str::to_owned).collect()).await
}

async fn words(data: &Path, words: Vec<String>) -> Told {
    let data: PathBuf = data.to_owned();
    let run = move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_shop"));
        command.args(words).arg("--data").arg(data).env_clear().stdin(Stdio::null());
        command.output().unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Told { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

async fn place(shop: &ShopProcess, correlation_id: &str) -> String {
    let body = json!({
        "user_id": "ada",
        "lines": [{"product_id": "prod-001", "quantity": 1}],
        "card": {"number": "4242424242424242"},
        "email": "ada.lovelace@example.com",
    });
    let headers = [("x-correlation-id", correlation_id)];
    let placed = shop.gateway().post("/api/orders", &headers, &body).await;
    assert_eq!(placed.status, StatusCode::CREATED);
    placed.json()["order_id"].as_str().unwrap().to_owned()
}

async fn until_shipped(shop: &ShopProcess, id: &str) {
    until_async(|| async {
        shop.gateway().get(&format!("/api/orders/{id}")).await.json()["status"] == "SHIPPED"
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_found_by_its_id_and_its_correlation_id() {
    let data = tempfile::tempdir().unwrap();
    let running = ShopProcess::up(data.path(), &[], Stdio::null()).await;
    let id = place(&running, "order-of-the-commands").await;
    until_shipped(&running, &id).await;

    let status = shop(data.path(), "status --json").await.good().json();
    let services = status["services"].as_array().unwrap();
    assert_eq!(services.len(), Name::ALL.len());
    assert!(services.iter().all(|service| service["health"] == "pass"), "{status}");
    let [process] = &status["processes"].as_array().unwrap()[..] else { panic!("{status}") };
    assert_eq!((&process["process"], &process["pid"]), (&json!("shop"), &json!(running.pid())));
    let figure = |name: &str| process[name].as_u64().unwrap();
    assert!(figure("ready_after_ms") > 0, "{status}");
    assert!(figure("peak_resident_bytes") >= figure("resident_bytes"), "{status}");
    let names: Vec<_> = status["queues"].as_array().unwrap().iter().collect();
    assert!(names.iter().any(|queue| queue["queue"] == "shopfast-notification-dlq"), "{status}");
    let text = shop(data.path(), "status").await.good().stdout;
    assert!(Name::ALL.iter().all(|name| text.contains(name.as_str())), "{text}");

    let show = format!("order show {id} --json");
    // Spans get out in batches.
    until_async(|| async {
        let order = shop(data.path(), &show).await.good().json();
        order["spans"].as_array().unwrap().iter().any(|span| span["name"] == "handler.CreateOrder")
    })
    .await;
    let order = shop(data.path(), &show).await.good().json();
    assert_eq!(order["order"]["status"], "SHIPPED");
    assert_eq!(order["correlation_id"], "order-of-the-commands");
    let text = shop(data.path(), &format!("order show {id}")).await.good().stdout;
    for part in ["Its history", "Its trace", "Its lines", "SHIPPED", "handler.CreateOrder"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let history = shop(data.path(), &format!("workflow history {id}")).await.good().stdout;
    assert!(history.contains("PAYMENT_PENDING") || history.contains("Payment"), "{history}");

    let logs = shop(data.path(), "logs --correlation-id order-of-the-commands --json").await.good();
    let lines = logs.json();
    let lines = lines.as_array().unwrap();
    assert!(lines.iter().all(|line| line["correlation_id"] == "order-of-the-commands"));
    for service in ["gateway", "order", "payment", "notification"] {
        assert!(lines.iter().any(|line| line["service"] == service), "{service}");
    }
    for secret in ["4242424242424242", "ada.lovelace"] {
        assert!(!logs.stdout.contains(secret) && !text.contains(secret), "{secret}");
    }
    shop(data.path(), "logs --correlation-id nobody").await.bad();
    let missing = shop(data.path(), "order show ord-nobody").await.bad();
    assert!(missing.stderr.contains("404"), "{missing:?}");
    running.terminate().await;
    let stopped = shop(data.path(), "status").await.bad();
    assert!(stopped.stderr.contains("no shop runs"), "{stopped:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_waits_is_shown_and_its_event_explained() {
    let data = tempfile::tempdir().unwrap();
    let base = free_ports().to_string();
    let without = Name::ALL.into_iter().filter(|name| *name != Name::Loyalty);
    let mut options: Vec<&str> = vec!["--port-base", &base, "--service"];
    options.extend(without.map(|name| name.as_str() as &str));
    let running = ShopProcess::up_with(data.path(), &options, &[], Stdio::null()).await;
    let id = place(&running, "waiting").await;
    until_shipped(&running, &id).await;
    let peek = "queue peek shopfast-loyalty-queue --json";
    until_async(|| async {
        !shop(data.path(), peek).await.good().json()["messages"].as_array().unwrap().is_empty()
    })
    .await;
    let peeked = shop(data.path(), peek).await.good().json();
    let message = &peeked["messages"][0];
    assert_eq!(message["receive_count"], 0, "looking is not receiving");
    assert_eq!(message["body"]["detail"]["order_id"], json!(id));
    let event = message["body"]["id"].as_str().unwrap();

    let explained = shop(data.path(), &format!("events explain {event} --json")).await.good();
    let explained = explained.json();
    let rules = explained["rules"].as_array().unwrap();
    let rule = |name: &str| rules.iter().find(|rule| rule["rule"] == name).unwrap();
    assert!(rule("loyalty")["because"].is_null(), "{explained}");
    assert!(rule("inventory-updates")["because"].is_string(), "{explained}");
    let text = shop(data.path(), &format!("events explain {event}")).await.good().stdout;
    assert!(text.contains("matched, went to") && text.contains("did not match"), "{text}");
    let unknown = shop(data.path(), "events explain nobody").await.bad();
    assert!(unknown.stderr.contains("nobody"), "{unknown:?}");

    let redriven = shop(data.path(), "queue redrive shopfast-loyalty-dlq --json").await.good();
    assert_eq!(redriven.json()["redriven"], 0);
    let unknown = shop(data.path(), "queue peek shoes").await.bad();
    assert!(unknown.stderr.contains("shopfast-order-queue"), "it says which there are");
    running.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pattern_is_tried_without_a_shop() {
    let data = tempfile::tempdir().unwrap();
    let test = async |pattern: &str, event: &str| {
        let words = ["events", "test-pattern", pattern, event, "--json"].map(str::to_owned);
        self::words(data.path(), words.to_vec()).await
    };
    let pattern =
        r#"{"detail-type":[{"prefix":"order."}],"detail":{"total":[{"numeric":[">",10]}]}}"#;
    let hit = test(pattern, r#"{"detail-type":"order.created","detail":{"total":11}}"#).await;
    assert_eq!(hit.good().json()["matches"], true);
    let missed = test(pattern, r#"{"detail-type":"order.created","detail":{"total":9}}"#).await;
    let missed = missed.bad().json();
    assert!(missed["because"].as_str().unwrap().contains("total"), "{missed}");
    let file = data.path().join("event.json");
    std::fs::write(&file, r#"{"detail-type":"order.created","detail":{"total":11}}"#).unwrap();
    test(pattern, &format!("@{}", file.display())).await.good();
    let broken = test(pattern, "{").await.bad();
    assert!(broken.stderr.contains("is not JSON"), "{broken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn load_is_told_as_it_goes_and_judged_by_its_thresholds() {
    let data = tempfile::tempdir().unwrap();
    let running = ShopProcess::up(data.path(), &[], Stdio::null()).await;
    for scenario in ["browse", "cart-journey", "checkout"] {
        let line = format!("load run {scenario} --vus 2 --duration 1 --seed 7 --json");
        let told = shop(data.path(), &line).await.good();
        let report = told.json();
        assert!(report["journeys"].as_u64().unwrap() > 0, "{report}");
        assert_eq!((&report["seed"], &report["vus"]), (&json!(7), &json!(2)));
        assert!(told.stderr.contains("journeys, "), "{}", told.stderr);
        let kinds = report["requests"].as_object().unwrap();
        for (kind, requests) in kinds {
            assert_eq!(requests["failed"], 0, "{scenario} {kind}: {report}");
            assert!(requests["p95_ms"].as_f64().unwrap() > 0.0, "{kind}");
        }
        let names: Vec<_> = report["thresholds"].as_array().unwrap().iter().collect();
        assert!(names.iter().any(|threshold| threshold["name"] == "failed percent"));
    }
    running.terminate().await;

    // A shop that lets nobody in fails by its failures, if they are to decide.
    let closed = [("SHOP_RATE_LIMIT_PER_SECOND", "1"), ("SHOP_RATE_LIMIT_BURST", "1")];
    let running = ShopProcess::up(data.path(), &closed, Stdio::null()).await;
    let line = "load run browse --vus 2 --duration 1";
    let told = shop(data.path(), line).await.good();
    assert!(told.stdout.contains("FAIL  failed percent"), "{told:?}");
    shop(data.path(), &format!("{line} --thresholds")).await.bad();
    running.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stress_does_what_it_is_told_and_ends_when_its_time_is_over() {
    let data = tempfile::tempdir().unwrap();
    let running = ShopProcess::up(data.path(), &[], Stdio::null()).await;
    let small = async |name: &str| {
        let line = format!("stress {name} --scale 0.00001 --duration 20 --json");
        shop(data.path(), &line).await.good().json()
    };
    for name in ["restock", "menu-sync", "batch-calculation", "query-storm", "morning-rush"] {
        let told = small(name).await;
        assert_eq!((&told["scenario"], &told["status"]), (&json!(name), &json!(200)), "{told}");
        let report = &told["report"];
        assert_eq!(report["done"], report["planned"], "{told}");
        assert_eq!(
            report["digest"],
            small(name).await["report"]["digest"],
            "{name}: the same again"
        );
    }
    let cart = small("cart").await;
    assert_eq!(
        (&cart["report"]["cpu_iterations"], &cart["report"]["primes"]),
        (&json!(50), &json!(15))
    );
    let none = shop(data.path(), "stress restock --scale 0 --json").await.good().json();
    assert_eq!(none["report"]["planned"], 0);

    // The whole midnight does not fit into two seconds.
    let whole = "stress cold-start-avalanche --scale 1 --duration 2 --json";
    let told = shop(data.path(), whole).await.good();
    let report = told.json()["report"].clone();
    assert!(report["done"].as_u64().unwrap() < report["planned"].as_u64().unwrap(), "{report}");
    assert!(report["took_ms"].as_u64().unwrap() >= 2_000, "{report}");
    assert!(told.stderr.contains("s left at most"), "{}", told.stderr);

    let avalanche = "stress cold-start-avalanche --scale 0.0001 --duration 60 --json";
    let avalanche = shop(data.path(), avalanche).await.good().json();
    assert!(avalanche["report"]["done"].as_u64().unwrap() > 0, "{avalanche}");
    running.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_shipper_finds_the_lines_of_a_service_in_a_file() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("var/log/app/cart-service.log");
    let environment = [("SHOP_LOG_FILE", file.to_str().unwrap())];
    let base = free_ports().to_string();
    let options = ["--port-base", &base, "--service", "cart"];
    let mut cart = ShopProcess::up_with(data.path(), &options, &environment, Stdio::piped()).await;
    let stdout = cart.stdout();
    let item = json!({"product_id": "prod-001", "quantity": 2});
    let headers = [("x-correlation-id", "shipped-line")];
    let added = cart.client("cart").post("/v1/cart/ada", &headers, &item).await;
    assert_eq!(added.status, StatusCode::OK);
    cart.terminate().await;
    let shipped = std::fs::read_to_string(&file).unwrap();
    assert_eq!(shipped, stdout.recv().unwrap(), "the same lines in both");
    let lines = support::parse(&shipped);
    let of_requests = lines.iter().filter(|line| line.contains_key("correlation_id"));
    assert!(of_requests.into_iter().all(|line| support::text(line, "service") == "cart"));
    assert_eq!(support::of(&lines, "shipped-line").len(), 1);
}
