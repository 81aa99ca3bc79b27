//! The built program as its users meet it: signals, kills, full pipes, several processes.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use rustix::process::Signal;
use serde_json::{Value, json};
use shop::lock::DataLock;
use shop::name::Name;
use support::process::{free_ports, until, until_async};
use support::{Client, Line, ShopProcess, parse, text};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Far longer than the 5 s for requests and the 1 s for telemetry that a stop may take.
const STOP_LIMIT: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn up_serves_until_it_is_told_to_stop_and_writes_nothing_but_lines() {
    let data = tempfile::tempdir().unwrap();
    for signal in [Signal::TERM, Signal::INT] {
        let mut shop = ShopProcess::up(data.path(), &[], Stdio::piped()).await;
        let stdout = shop.stdout();
        let body = json!({"user_id": "ada", "lines": [{"product_id": "prod-001", "quantity": 1}]});
        let placed = shop.gateway().post("/api/orders", &[], &body).await;
        assert_eq!(placed.status, StatusCode::CREATED);
        let health = shop.gateway().get("/api/orders/health").await;
        assert_eq!(health.json()["status"], "pass");
        shop.signal(signal);
        let status = shop.wait(STOP_LIMIT).await.expect("it ends in time");
        assert_eq!(status.code(), Some(0));
        // Reading them back fails on anything that is no JSON object.
        let lines = parse(&stdout.recv().unwrap());
        assert!(lines.len() >= 5, "{lines:?}");
        assert!(!data.path().join("ready.json").exists(), "it is not ready any more");
    }
}

/// A request of which one half is sent and known to be in flight.
struct HalfSent {
    connection: TcpStream,
    rest: &'static [u8],
}

impl HalfSent {
    async fn to_cart(shop: &ShopProcess) -> Self {
        let mut connection = TcpStream::connect(shop.address("cart")).await.unwrap();
        let body = br#"{"product_id":"prod-001","quantity":2}"#;
        let (first, rest) = body.split_at(10);
        let head = "POST /v1/cart/ada HTTP/1.1\r\nhost: cart\r\nconnection: close\r\n";
        let head = format!("{head}content-length: {}\r\n\r\n", body.len());
        connection.write_all(head.as_bytes()).await.unwrap();
        connection.write_all(first).await.unwrap();
        let cart = shop.client("cart");
        until_async(|| async {
            control(&cart, "in_flight/http").await.to_string().contains("/v1/cart")
        })
        .await;
        Self { connection, rest }
    }

    async fn finish(mut self) -> String {
        self.connection.write_all(self.rest).await.unwrap();
        let mut answer = String::new();
        self.connection.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_flight_is_finished_before_the_stop() {
    let data = tempfile::tempdir().unwrap();
    let environment = [("OBS_ADMIN_TOKEN", TOKEN)];
    let mut shop = ShopProcess::up(data.path(), &environment, Stdio::null()).await;
    let request = HalfSent::to_cart(&shop).await;
    shop.signal(Signal::TERM);
    // From the moment that it takes no new connections, it drains.
    let address = shop.address("cart");
    until_async(|| async { TcpStream::connect(address).await.is_err() }).await;
    let answer = request.finish().await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(shop.wait(STOP_LIMIT).await.expect("it ends in time").success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_never_ends_does_not_hold_up_the_stop() {
    let data = tempfile::tempdir().unwrap();
    let environment = [("OBS_ADMIN_TOKEN", TOKEN)];
    let mut shop = ShopProcess::up(data.path(), &environment, Stdio::piped()).await;
    let stdout = shop.stdout();
    let request = HalfSent::to_cart(&shop).await;
    shop.signal(Signal::TERM);
    assert!(shop.wait(STOP_LIMIT).await.expect("it ends in time").success());
    let lines = parse(&stdout.recv().unwrap());
    let cut = lines.iter().find(|line| text(line, "route") == "/v1/cart/{user_id}");
    assert_eq!(text(cut.expect("it has its line"), "outcome"), "shutdown");
    drop(request);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipe_that_nobody_reads_blocks_neither_requests_nor_the_stop() {
    let data = tempfile::tempdir().unwrap();
    let environment = [
        ("OBS_ADMIN_TOKEN", TOKEN),
        ("SHOP_RATE_LIMIT_PER_SECOND", "1000000"),
        ("SHOP_RATE_LIMIT_BURST", "1000000"),
    ];
    let mut shop = ShopProcess::up(data.path(), &environment, Stdio::piped()).await;
    let gateway = shop.gateway();
    let done = Arc::new(AtomicUsize::new(0));
    // Until lines were dropped: then the pipe and the queue behind it are full.
    let mut dropped = 0;
    while dropped == 0 {
        let mut requests = JoinSet::new();
        for _ in 0..16 {
            let (client, done) = (gateway.clone(), Arc::clone(&done));
            requests.spawn(async move {
                for _ in 0..100 {
                    assert_eq!(client.get("/api/products").await.status, StatusCode::OK);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while let Some(request) = requests.join_next().await {
            request.unwrap();
        }
        dropped = dropped_lines(&gateway, "queue_full").await;
        assert!(done.load(Ordering::Relaxed) < 200_000, "lines are dropped at some point");
    }
    // With everything full, requests still go on, and their lines are counted.
    for _ in 0..200 {
        assert_eq!(gateway.get("/api/products").await.status, StatusCode::OK);
    }
    assert!(dropped_lines(&gateway, "queue_full").await >= dropped + 200);

    shop.signal(Signal::TERM);
    let status = shop.wait(STOP_LIMIT).await.expect("it ends in time");
    assert_eq!(status.code(), Some(0));
}

const TOKEN: &str = "a-token-of-these-tests";

/// What a running service tells about one of its controls.
async fn control(service: &Client, name: &str) -> Value {
    let token = format!("Bearer {TOKEN}");
    let headers = [("authorization", token.as_str())];
    let path = format!("/health/controls/{name}");
    let answer = service.send(Method::GET, &path, &headers, "").await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()
}

/// How many lines were dropped for `reason`, as the running process tells.
async fn dropped_lines(gateway: &Client, reason: &str) -> u64 {
    let telemetry = control(gateway, "telemetry/gateway").await;
    find(&telemetry, reason)
        .map_or(0, |classes| classes.as_object().unwrap().values().filter_map(Value::as_u64).sum())
}

/// The value of the first member named `name`, at any depth.
fn find<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    match value {
        Value::Object(members) => {
            members.get(name).or_else(|| members.values().find_map(|value| find(value, name)))
        }
        Value::Array(values) => values.iter().find_map(|value| find(value, name)),
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_no_accepted_order_is_missing_and_no_reservation_leaks() {
    let data = tempfile::tempdir().unwrap();
    // Long: what is given back after the restart is not given back by running out.
    let environment = [("SHOP_RATE_LIMIT_BURST", "100000"), ("SHOP_RESERVATION_TTL_MS", "600000")];
    let mut accepted = BTreeSet::new();
    for round in 0..3 {
        let mut shop = ShopProcess::up(data.path(), &environment, Stdio::null()).await;
        let count = Arc::new(AtomicUsize::new(0));
        let mut customers = JoinSet::new();
        for customer in 0..20 {
            let (client, count) = (shop.gateway(), Arc::clone(&count));
            customers
                .spawn(async move { order_until_it_dies(client, round, customer, count).await });
        }
        until(|| count.load(Ordering::Relaxed) >= 100).await;
        shop.kill();
        while let Some(ids) = customers.join_next().await {
            accepted.extend(ids.unwrap());
        }
    }
    assert!(accepted.len() >= 300);

    let shop = ShopProcess::up(data.path(), &environment, Stdio::null()).await;
    let gateway = shop.gateway();
    for id in &accepted {
        let order = gateway.get(&format!("/api/orders/{id}")).await;
        assert_eq!(order.status, StatusCode::OK, "{id} was accepted");
    }
    let mut ordered = 0;
    for (round, customer) in (0..3).flat_map(|round| (0..20).map(move |c| (round, c))) {
        ordered += stored_orders(&gateway, &user(round, customer)).await;
    }
    assert!(ordered >= accepted.len() as u64);
    // Each order is for one piece.
    until_async(|| async {
        // What is not available any more is kept for orders, or has left with them.
        let level = gateway.get("/api/inventory/prod-007").await.json();
        level["available"].as_u64().unwrap() + ordered == shop_product::SEEDED_QUANTITY
    })
    .await;
    assert!(shop.terminate().await.contains("stopped"));
}

fn user(round: u32, customer: u32) -> String {
    format!("user-{round}-{customer}")
}

/// Orders one piece after the other; the ids of those that were answered 201.
async fn order_until_it_dies(
    client: Client,
    round: u32,
    customer: u32,
    count: Arc<AtomicUsize>,
) -> Vec<String> {
    let mut accepted = Vec::new();
    let lines = json!([{"product_id": "prod-007", "quantity": 1}]);
    let body = json!({"user_id": user(round, customer), "lines": lines}).to_string();
    while let Some(answer) = client.try_send(Method::POST, "/api/orders", &[], body.clone()).await {
        // The last answer may be that of a gateway whose other half is dead already.
        if answer.status == StatusCode::CREATED {
            accepted.push(answer.json()["order_id"].as_str().unwrap().to_owned());
            count.fetch_add(1, Ordering::Relaxed);
        } else {
            assert_eq!(answer.status, StatusCode::CONFLICT, "only stock may run out: {answer:?}");
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
    accepted
}

async fn stored_orders(gateway: &Client, user: &str) -> u64 {
    let (mut count, mut path) = (0, format!("/api/orders?user_id={user}"));
    loop {
        let page = gateway.get(&path).await.json();
        count += page["orders"].as_array().unwrap().len() as u64;
        let Some(next) = page["next"].as_str() else { return count };
        path = format!("/api/orders?user_id={user}&before={next}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn services_in_processes_of_their_own_find_each_other() {
    let folders = tempfile::tempdir().unwrap();
    let base = free_ports().to_string();
    let mut processes = Vec::new();
    for name in ["gateway", "order", "inventory", "cart", "product"] {
        let data = folders.path().join(name);
        std::fs::create_dir(&data).unwrap();
        let options = ["--port-base", &base, "--service", name];
        processes.push(ShopProcess::up_with(&data, &options, &[], Stdio::null()).await);
    }
    let gateway = processes[0].gateway();
    let item = json!({"product_id": "prod-001", "quantity": 2});
    assert_eq!(gateway.post("/api/cart/ada", &[], &item).await.status, StatusCode::OK);
    let body = json!({"user_id": "ada", "from_cart": true});
    assert_eq!(gateway.post("/api/orders", &[], &body).await.status, StatusCode::CREATED);

    // Without the product service the others go on, and say whose fault it is.
    processes.pop().unwrap().kill();
    let refused = gateway.get("/api/products").await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.header("content-type"), "application/problem+json");
    assert_eq!(refused.json()["detail"], "the product service is not reachable");
    assert_eq!(gateway.get("/api/cart/ada").await.status, StatusCode::OK);
    for process in processes {
        process.terminate().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_inventory_nothing_is_promised_and_nothing_stays_behind() {
    let folders = tempfile::tempdir().unwrap();
    let base = free_ports().to_string();
    let start = async |name: &str| {
        let data = folders.path().join(name);
        std::fs::create_dir_all(&data).unwrap();
        let options = ["--port-base", &base, "--service", name];
        ShopProcess::up_with(&data, &options, &[], Stdio::null()).await
    };
    let (mut order, _product) = (start("order").await, start("product").await);
    let client = order.client("order");
    let lines = json!([{"product_id": "prod-001", "quantity": 1}]);
    let body = json!({"user_id": "ada", "lines": lines});
    let key = [("idempotency-key", "k")];
    let refused = client.post("/orders", &key, &body).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(refused.json()["detail"], "the inventory service is not reachable");
    assert_eq!(client.get("/orders?user_id=ada").await.json()["orders"], json!([]));

    // Also one that is killed has told which order it was about.
    let lines = folders.path().join("order/telemetry/order.lines.jsonl");
    let tries = || {
        let text_of_all = std::fs::read_to_string(&lines).unwrap_or_default();
        let whole = text_of_all.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let is_try = |l: &&Line| text(l, "method") == "POST" && text(l, "route") == "/orders";
        let lines = parse(whole);
        let tries = lines.iter().filter(is_try).map(|line| text(line, "order_id").to_owned());
        tries.collect::<Vec<_>>()
    };
    // Lines get there in their own time.
    until(|| tries().len() == 1).await;
    order.kill();
    let (order, inventory) = (start("order").await, start("inventory").await);
    let placed = order.client("order").post("/orders", &key, &body).await;
    assert_eq!(placed.status, StatusCode::CREATED, "its key was freed: {placed:?}");
    until(|| tries().len() == 2).await;
    let placed = placed.json();
    assert!(tries().iter().all(|tried| placed["order_id"] == **tried), "one order: {:?}", tries());
    let level = inventory.client("inventory").get("/inventory/prod-001").await.json();
    assert_eq!(level["reserved"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_service_outlives_a_supervisor_that_was_killed() {
    let data = tempfile::tempdir().unwrap();
    let options = ["--procs", "--port-base", "0"];
    let mut shop = ShopProcess::up_with(data.path(), &options, &[], Stdio::null()).await;
    let body = json!({"user_id": "ada", "lines": [{"product_id": "prod-001", "quantity": 1}]});
    let placed = shop.gateway().post("/api/orders", &[], &body).await;
    assert_eq!(placed.status, StatusCode::CREATED);
    shop.kill();
    // Nobody holds any data any more: all have ended.
    until(|| DataLock::take(data.path(), &Name::ALL).is_ok()).await;
    for name in Name::ALL {
        assert!(TcpStream::connect(shop.address(name.as_str())).await.is_err(), "{name}");
        let left = data.path().join(format!("run/{name}.json"));
        assert!(!left.exists(), "{name} did not stop in order");
    }
    // What the order caused is done or comes again.
    let again = ShopProcess::up(data.path(), &[], Stdio::null()).await;
    let path = format!("/api/orders/{}", placed.json()["order_id"].as_str().unwrap());
    until_async(|| async { again.gateway().get(&path).await.json()["status"] == "SHIPPED" }).await;
    assert!(!data.path().join("telemetry/kills.jsonl").exists());
    again.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_low_limit_of_open_files_is_raised() {
    let data = tempfile::tempdir().unwrap();
    let mut limited = Command::new("sh");
    // Five sockets, eight connections to stores: more than this many files.
    limited.args(["-c", "ulimit -S -n 32 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_shop")]);
    let shop = ShopProcess::up_by(limited, data.path(), &["--port-base", "0"], Stdio::null()).await;
    let mut requests = JoinSet::new();
    for _ in 0..100 {
        let client = shop.gateway();
        requests.spawn(async move { client.get("/api/products").await.status });
    }
    while let Some(status) = requests.join_next().await {
        assert_eq!(status.unwrap(), StatusCode::OK);
    }
    shop.terminate().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named() {
    let data = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().min(65_531);
    let base = port.to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_shop"))
        .args(["up", "--service", "gateway", "--port-base", &base, "--data"])
        .arg(data.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "what is for a person goes to stderr");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("gateway") && told.contains(&base), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_tells_its_story_and_ends_well() {
    let run = |options: &[&str]| {
        let mut demo = Command::new(env!("CARGO_BIN_EXE_shop"));
        demo.arg("demo").args(options).env_clear().stdin(Stdio::null()).output().unwrap()
    };
    let output = tokio::task::spawn_blocking(move || run(&[])).await.unwrap();
    let story = String::from_utf8(output.stdout).unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}\n{story}");
    for part in [
        "demo-order-1",
        "order.reserve",
        "Latency",
        "ratelimit-policy",
        "409 Conflict",
        "prod-008 has 1 left",
    ] {
        assert!(story.contains(part), "{part}:\n{story}");
    }
    for service in ["gateway", "product", "order", "inventory", "cart"] {
        assert!(story.contains(&format!("Service={service}")), "{service}:\n{story}");
    }
    assert!(!story.contains('\u{1b}'), "no colours in a pipe");
    let output = tokio::task::spawn_blocking(move || run(&["--json"])).await.unwrap();
    let story: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&story["status"], &story["refused"]["status"]), (&json!("SHIPPED"), &json!(409)));
}
