//! Five hundred checkouts at once, some with declined cards, beside a message that nobody can read;
//! undisturbed, with the whole shop killed in the middle, and with each service killed in turn.

#![allow(clippy::unwrap_used, reason = "these are tests")]

mod support;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use http::{Method, StatusCode};
use obs_core::clock::Clock;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use shop::name::Name;
use shop_contracts::Topology;
use shop_domain::port::messaging::{NewMessage, Queue};
use shop_kit::time::SystemTime;
use shop_store::Broker;
use support::command::{shop, until_good};
use support::{Client, ShopProcess, is_request_line, parse};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

/// The checkouts of a storm.
const CHECKOUTS: usize = 500;

/// How long a storm may take until every order has come to its end. What a killed process has
/// received comes again after a minute at most.
const PATIENCE: Duration = Duration::from_secs(420);

/// How often to look.
const LOOK: Duration = Duration::from_millis(100);

/// One storm at a time: each takes all there is of the machine.
static TURN: Mutex<()> = Mutex::const_new(());

const ENVIRONMENT: [(&str, &str); 2] =
    [("SHOP_RATE_LIMIT_PER_SECOND", "1000000"), ("SHOP_RATE_LIMIT_BURST", "1000000")];

/// What is planted in every order and must be found nowhere.
const CARD: &str = "4242424242424242";
const DECLINED: &str = "4000000000000002";
const ADDRESS: &str = "planted.address";
const TOKEN: &str = "planted-bearer-token";
const POISON: &str = "this is no event";

/// Customers, and where the shop is at the moment; `None` while it is down.
struct Storm {
    gateway: watch::Sender<Option<Client>>,
    accepted: Arc<AtomicUsize>,
    customers: JoinSet<String>,
}

impl Storm {
    fn begin(gateway: Client) -> Self {
        let (gateway, accepted) = (watch::Sender::new(Some(gateway)), Arc::default());
        let mut customers = JoinSet::new();
        for number in 0..CHECKOUTS {
            customers.spawn(check_out(gateway.subscribe(), number, Arc::clone(&accepted)));
        }
        Self { gateway, accepted, customers }
    }

    async fn until_accepted(&self, count: usize) {
        until(|| async { self.accepted.load(Ordering::Relaxed) >= count }).await;
    }

    /// The ids of all orders, once each customer has one.
    async fn end(mut self) -> BTreeSet<String> {
        let mut ids = BTreeSet::new();
        let all = async {
            while let Some(id) = self.customers.join_next().await {
                ids.insert(id.unwrap());
            }
        };
        tokio::time::timeout(PATIENCE, all).await.expect("every customer gets an answer in time");
        assert_eq!(ids.len(), CHECKOUTS, "each has an order of its own");
        ids
    }
}

/// Whether the card of a customer is declined: that of one in ten.
fn is_declined(number: usize) -> bool {
    number.is_multiple_of(10)
}

/// Orders once, and asks again with the same key until there is an answer.
async fn check_out(
    mut gateway: watch::Receiver<Option<Client>>,
    number: usize,
    accepted: Arc<AtomicUsize>,
) -> String {
    let product = format!("prod-{:03}", 1 + number % 5);
    let body = json!({
        "user_id": format!("user-{number}"),
        "lines": [{"product_id": product, "quantity": 1}],
        "card": {"number": if is_declined(number) { DECLINED } else { CARD }},
        "email": format!("{ADDRESS}.{number}@example.com"),
    });
    let (key, correlation) = (format!("key-{number}"), format!("storm-{number}"));
    let token = format!("Bearer {TOKEN}");
    let headers = [
        ("idempotency-key", key.as_str()),
        ("x-correlation-id", &correlation),
        ("authorization", &token),
    ];
    loop {
        let client = gateway.wait_for(Option::is_some).await.unwrap().clone().unwrap();
        let body = body.to_string();
        let answer = client.try_send(Method::POST, "/api/orders", &headers, body).await;
        if let Some(answer) = answer.filter(|answer| answer.status == StatusCode::CREATED) {
            accepted.fetch_add(1, Ordering::Relaxed);
            return answer.json()["order_id"].as_str().unwrap().to_owned();
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn until<F: Future<Output = bool>>(mut happened: impl FnMut() -> F) {
    let looking = async {
        while !happened().await {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("it happens in time");
}

/// The broker of a running shop.
fn broker(data: &Path) -> Broker {
    let (topology, time) = (Topology::embedded().unwrap(), SystemTime::new(Clock::system()));
    Broker::open(&data.join("messaging.db"), topology, Arc::new(time)).unwrap()
}

async fn poison(data: &Path) {
    let queue = broker(data).queue("shopfast-notification-queue").unwrap();
    queue.send(&NewMessage::new(POISON)).await.unwrap();
}

/// Waits until every order has come to its end; how many there are in each status.
async fn all_final(orders: &Client) -> Value {
    let counts = std::sync::Mutex::new(Value::Null);
    until(|| async {
        let Some(answer) = orders.try_send(Method::GET, "/orders/counts", &[], "").await else {
            return false;
        };
        *counts.lock().unwrap() = answer.json();
        let told = counts.lock().unwrap().clone();
        let of = |status: &str| told[status].as_u64().unwrap_or_default();
        of("SHIPPED") + of("PAYMENT_FAILED") >= CHECKOUTS as u64
    })
    .await;
    counts.into_inner().unwrap()
}

/// What must hold after any storm.
async fn look_after(
    data: &Path,
    mut process: ShopProcess,
    outputs: Vec<Receiver<String>>,
    ids: &BTreeSet<String>,
) {
    let counts = all_final(&process.client("order")).await;
    let declined = (0..CHECKOUTS).filter(|number| is_declined(*number)).count();
    // An order that nobody was told of may have been accepted beside its successor's key.
    assert_eq!(counts["PAYMENT_FAILED"], declined, "{counts}");
    assert_eq!(counts["SHIPPED"], CHECKOUTS - declined, "{counts}");
    let attempts = 600;
    until_good(data, &["verify", "invariants"], attempts).await;
    until(|| async { dead_letters(data).await.len() == 1 }).await;
    assert_eq!(
        dead_letters(data).await,
        [("shopfast-notification-dlq".to_owned(), POISON.to_owned())]
    );
    let said = until_good(data, &["verify", "orders", "--json"], 20).await;
    let told: Value = serde_json::from_str(said.text.split("shop:").next().unwrap()).unwrap();
    assert_eq!(told["orders"], CHECKOUTS, "{told}");
    assert_eq!(told["failed"], json!([]));
    let said = shop(data, &["queue", "peek", "shopfast-notification-dlq"]).await;
    assert!(said.good && ids.iter().all(|id| !said.text.contains(id.as_str())));
    assert_is_secret("the view of a queue", &said.text);
    process.signal(Signal::TERM);
    assert!(process.wait(PATIENCE).await.expect("it ends").success());
    assert_is_secret("stderr", &process.told());
    // Of all processes: what services write, their supervisor does.
    let outputs: Vec<_> = outputs.into_iter().map(|output| output.recv().unwrap()).collect();
    outputs.iter().for_each(|text| assert_is_secret("stdout", text));
    // One that was killed may have been at half a line; the last one was not.
    let requests = parse(outputs.last().unwrap()).iter().filter(|l| is_request_line(l)).count();
    assert!(requests > 0, "requests are told on stdout");

    // With what was written at the end: metrics are lines, too.
    let mut metrics = String::new();
    for entry in std::fs::read_dir(data.join("telemetry")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_is_secret(path.to_str().unwrap(), &text);
        let found = text.lines().filter(|line| line.contains("CloudWatchMetrics"));
        metrics.extend(found.filter(|line| line.contains("QueueAge")));
    }
    assert!(metrics.contains("shopfast-order-queue"), "the age of queues is told");
}

/// Every message in a dead-letter queue.
async fn dead_letters(data: &Path) -> Vec<(String, String)> {
    let broker = broker(data);
    let mut found = Vec::new();
    for queue in broker.queues() {
        let messages = queue.peek(10_000).await.unwrap();
        for message in messages {
            assert_is_secret(queue.name(), &message.body);
            assert_is_secret(queue.name(), &format!("{:?}", message.attributes));
            if queue.name().contains("-dlq") {
                found.push((queue.name().to_owned(), message.body));
            }
        }
    }
    found
}

fn assert_is_secret(place: &str, text: &str) {
    for secret in [CARD, DECLINED, ADDRESS, TOKEN] {
        assert!(!text.contains(secret), "{place} tells {secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_checkouts_at_once_come_to_their_ends() {
    let _turn = TURN.lock().await;
    let data = tempfile::tempdir().unwrap();
    let mut process = ShopProcess::up(data.path(), &ENVIRONMENT, Stdio::piped()).await;
    let outputs = vec![process.stdout()];
    let storm = Storm::begin(process.gateway());
    poison(data.path()).await;
    let ids = storm.end().await;
    look_after(data.path(), process, outputs, &ids).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_after_the_whole_shop_was_killed_in_the_middle() {
    let _turn = TURN.lock().await;
    let data = tempfile::tempdir().unwrap();
    let mut process = ShopProcess::up(data.path(), &ENVIRONMENT, Stdio::piped()).await;
    let mut outputs = vec![process.stdout()];
    let storm = Storm::begin(process.gateway());
    poison(data.path()).await;
    storm.until_accepted(CHECKOUTS / 2).await;
    storm.gateway.send_replace(None);
    process.kill();
    let mut process = ShopProcess::up(data.path(), &ENVIRONMENT, Stdio::piped()).await;
    outputs.push(process.stdout());
    storm.gateway.send_replace(Some(process.gateway()));
    let ids = storm.end().await;
    look_after(data.path(), process, outputs, &ids).await;
}

/// The process of a service, as its supervisor wrote it down.
fn id_of(data: &Path, service: Name) -> Option<i32> {
    let text = std::fs::read_to_string(data.join(format!("run/{service}.pid"))).ok()?;
    text.parse().ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_with_each_service_killed_in_turn() {
    let _turn = TURN.lock().await;
    let data = tempfile::tempdir().unwrap();
    let options = ["--procs", "--port-base", "0"];
    let mut process =
        ShopProcess::up_with(data.path(), &options, &ENVIRONMENT, Stdio::piped()).await;
    let outputs = vec![process.stdout()];
    let storm = Storm::begin(process.gateway());
    poison(data.path()).await;
    for (number, service) in (1..).zip(Name::ALL) {
        // Over the whole of the storm, as far as it has got by then.
        storm.until_accepted(number * CHECKOUTS / 16).await;
        let killed = id_of(data.path(), service).unwrap();
        kill_process(Pid::from_raw(killed).unwrap(), Signal::KILL).unwrap();
        let client = process.client(service.as_str());
        until(|| async {
            let ready = client.try_send(Method::GET, "/ready", &[], "").await;
            id_of(data.path(), service).is_some_and(|id| id != killed)
                && ready.is_some_and(|answer| answer.status == StatusCode::OK)
        })
        .await;
    }
    let ids = storm.end().await;
    look_after(data.path(), process, outputs, &ids).await;
}
