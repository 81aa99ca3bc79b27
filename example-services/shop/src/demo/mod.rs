//! `shop demo`: one order, and everything that is known about it afterwards.

mod collector;
mod metrics;
mod story;

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use http::Method;
use obs_core::environment::Environment;
use obs_core::output::Output;
use serde_json::{Value, json};
use shop_domain::order::Status;

use self::collector::Collector;
use self::story::Story;
use crate::client::{Answer, Client, Fault, PATIENCE};
use crate::install;
use crate::name::{Name, Ports};
use crate::paint::Paint;
use crate::record::lines;
use crate::running::{Plan, Running};

/// The id under which everything about the order is found.
const CORRELATION_ID: &str = "demo-order-1";

/// The id of the order that is refused.
const REFUSED_ID: &str = "demo-order-2";

/// Places an order on a shop of its own and prints its story on stdout, as JSON if that is wanted.
///
/// The exit code is 0 when the order was taken and the other one refused, as it should be.
pub async fn demo(environment: Environment, json: bool) -> ExitCode {
    match run(environment, json).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shop: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(environment: Environment, json: bool) -> Result<(), Fault> {
    let folder = Folder::new()?;
    let (output, captured) = Output::captured();
    let spans = Collector::default();
    let exporters = spans.clone();
    let paint =
        Paint::new(std::io::stdout().is_terminal() && environment.get("NO_COLOR").is_none());
    // A sampler or exporter of the environment would tell another story than the one promised.
    install(&output, &Environment::empty())?;
    let running = Running::start(Plan {
        data: folder.0.clone(),
        ports: Ports::Free,
        services: Name::ALL.to_vec(),
        output,
        span_exporters: Some(Arc::new(move |name, _| Box::new(exporters.of(name)))),
        environment: Environment::empty(),
    })
    .await?;
    let urls = running.urls();
    let gateway = urls.get(Name::Gateway.as_str()).ok_or("the gateway does not listen")?;
    let client = Client::new(gateway);
    let (order, refused) = act(&client).await?;
    let life = follow(&client, &order, &urls).await?;
    running.stop().await;

    let lines = lines::parse(&captured.text());
    let story =
        Story { paint, urls: &urls, lines: &lines, spans: &spans.spans(), order, refused, life };
    let told = if json { format!("{:#}\n", story.to_json()) } else { story.to_string() };
    std::io::stdout().lock().write_all(told.as_bytes())?;
    story.check()?;
    Ok(())
}

/// What the demo's customer sends with every request.
const fn headers(correlation_id: &str) -> [(&str, &str); 2] {
    [("x-correlation-id", correlation_id), ("x-tenant-id", "acme")]
}

/// Fills a cart, places the order, and places one that asks for more than there is.
async fn act(client: &Client) -> Result<(Answer, Answer), Fault> {
    for (product_id, quantity) in [("prod-001", 2), ("prod-006", 1)] {
        let item = json!({"product_id": product_id, "quantity": quantity});
        client.send(Method::POST, "/api/cart/ada", &headers("demo-cart"), Some(&item)).await?;
    }
    let order = json!({
        "user_id": "ada",
        "from_cart": true,
        "card": {"number": "4242424242424242"},
        "email": "ada@example.com",
    });
    let order =
        client.send(Method::POST, "/api/orders", &headers(CORRELATION_ID), Some(&order)).await?;

    let shelf = json!({"quantity": 1});
    client
        .send(Method::PUT, "/api/inventory/prod-008", &headers("demo-shelf"), Some(&shelf))
        .await?;
    let line = json!({"product_id": "prod-008", "quantity": 2});
    let refused = json!({"user_id": "ada", "lines": [line]});
    let refused =
        client.send(Method::POST, "/api/orders", &headers(REFUSED_ID), Some(&refused)).await?;
    Ok((order, refused))
}

/// What becomes of the order once the customer has been answered.
#[derive(Debug)]
struct Life {
    /// Its status, when nothing follows it any more or patience is at its end.
    status: String,
    /// Its history, as the order service tells it.
    history: Value,
    /// What the customer was told, as the notification service keeps it.
    told: Value,
}

/// Waits until the order has come to an end and its customer was told.
async fn follow(
    client: &Client,
    order: &Answer,
    urls: &BTreeMap<&'static str, String>,
) -> Result<Life, Fault> {
    let id = order.body["order_id"].as_str().ok_or("the order has no id")?;
    let notification = urls.get(Name::Notification.as_str()).ok_or("nobody tells customers")?;
    let outbox = Client::new(notification);
    let mut looks = tokio::time::interval(LOOK);
    let ask = async {
        loop {
            looks.tick().await;
            let path = format!("/api/orders/{id}/history");
            let history =
                client.send(Method::GET, &path, &headers("demo-follow"), None).await?.body;
            let path = format!("/outbox?order_id={id}");
            let told = outbox.send(Method::GET, &path, &headers("demo-follow"), None).await?.body;
            let last = history["history"].as_array().and_then(|steps| steps.last());
            let status = last.and_then(|step| step["to"].as_str()).unwrap_or("unknown").to_owned();
            let is_told = told["notifications"].as_array().is_some_and(|told| told.len() > 1);
            let is_final = Status::parse(&status).is_some_and(Status::is_final);
            if is_final && is_told {
                return Ok::<_, Fault>(Life { status, history, told });
            }
        }
    };
    tokio::time::timeout(PATIENCE, ask).await.map_err(|_| "the order came to no end")?
}

/// How often to look after the order.
const LOOK: Duration = Duration::from_millis(20);

/// A folder that is gone when the demo is over.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("shop-demo-{}", std::process::id()));
        // What an earlier process of the same id left behind belongs to nobody.
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
