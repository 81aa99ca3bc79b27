//! A worker that takes batches from a queue. Here the queue is a list, so that it runs anywhere:
//! `cargo run --features message --example sqs_worker` prints a line for each message, and the
//! answer by which only the failed one is delivered again.

use std::collections::BTreeMap;
use std::time::Duration;

use obs_core::config::ConfigError;
use obs_core::propagate::message::sqs;
use obs_core::telemetry::Telemetry;
use obs_tower::message::{MessageInfo, MessageObserver};

/// A message as SQS delivers it.
struct Received {
    id: &'static str,
    body: &'static str,
    system: BTreeMap<String, String>,
    attributes: BTreeMap<String, String>,
}

fn receive() -> Vec<Received> {
    let trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
    let message = |id, body| Received {
        id,
        body,
        system: BTreeMap::from([(sqs::TRACE_HEADER.to_owned(), trace.to_owned())]),
        attributes: BTreeMap::from([("x-correlation-id".to_owned(), format!("order-{id}"))]),
    };
    vec![message("m-1", "7"), message("m-2", "not a number")]
}

async fn bill(body: &str) -> Result<u32, std::num::ParseIntError> {
    body.parse()
}

/// Processes a batch; the answer names the messages that failed.
pub(crate) async fn work(telemetry: &Telemetry) -> Result<serde_json::Value, ConfigError> {
    let observer = MessageObserver::new(telemetry, "aws_sqs", "placed-orders")?;
    let batch = observer.batch();
    for received in receive() {
        let message = sqs::Message::new(&received.system, &received.attributes);
        let info = MessageInfo::new(received.id).attempt(1);
        batch.process(&message, info, bill(received.body)).await;
    }
    Ok(batch.response())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let telemetry = Telemetry::init("billing")?;
    let response = work(&telemetry).await?;
    telemetry.shutdown(Duration::from_secs(1));
    eprintln!("{response}");
    Ok(())
}
