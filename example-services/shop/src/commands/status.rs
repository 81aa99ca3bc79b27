use std::path::Path;

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use crate::client::Client;
use crate::finding::{Finding, Found};
use crate::run_file::running;
use crate::running::messaging;
use shop_domain::port::messaging::Queue;

/// Which services run, how they are, which adapters they use and how full their queues are.
pub(super) async fn status(data: &Path) -> Found {
    let services = running(data)?;
    let asked = services.iter().map(|(name, url)| async move {
        let answer = Client::new(url).send(Method::GET, "/health", &[], None).await;
        let health = match answer {
            Ok(answer) => answer.body["status"].as_str().unwrap_or("unknown").to_owned(),
            Err(_) => "unreachable".to_owned(),
        };
        (name.clone(), url.clone(), health)
    });
    let services = join_all(asked).await;
    let good = services.iter().all(|(_, _, health)| matches!(health.as_str(), "pass" | "warn"));
    let broker = messaging::open(data)?;
    let mut queues = Vec::new();
    for queue in broker.queues() {
        queues.push((queue.name().to_owned(), queue.depth().await?));
    }

    let mut text = String::new();
    for (name, url, health) in &services {
        text.push_str(&format!("  {name:<13} {url:<24} {health}\n"));
    }
    text.push('\n');
    for (name, depth) in queues.iter().filter(|(_, depth)| depth.total() > 0) {
        let age = depth.oldest_age_ms / 1_000;
        text.push_str(&format!("  {name:<32} {:>6} messages, the oldest {age} s\n", depth.total()));
    }
    if queues.iter().all(|(_, depth)| depth.total() == 0) {
        text.push_str("  all queues are empty\n");
    }
    let services: Vec<Value> = services
        .into_iter()
        .map(|(name, url, health)| json!({"service": name, "url": url, "health": health}))
        .collect();
    let queues: Vec<Value> = queues
        .into_iter()
        .map(|(name, depth)| {
            json!({
                "queue": name,
                "visible": depth.visible,
                "in_flight": depth.in_flight,
                "delayed": depth.delayed,
                "oldest_age_ms": depth.oldest_age_ms,
            })
        })
        .collect();
    Ok(Finding { good, json: json!({"services": services, "queues": queues}), text })
}
