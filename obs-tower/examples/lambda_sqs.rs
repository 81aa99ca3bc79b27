//! A Lambda function that takes batches from a queue and has only the failed messages delivered
//! again. As `src/main.rs` of a package: `cargo lambda watch`, then
//! `cargo lambda invoke --data-ascii '{"Records":[{"messageId":"m-1","body":"7"}]}'`.

use std::collections::BTreeMap;
use std::sync::Arc;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use obs_core::clock::Timestamp;
use obs_core::propagate::message::sqs;
use obs_core::telemetry::Telemetry;
use obs_tower::lambda::LambdaLayer;
use obs_tower::message::{MessageInfo, MessageObserver};
use serde::Deserialize;
use serde_json::Value;
use tower::Layer;

#[derive(Deserialize)]
struct Event {
    #[serde(rename = "Records")]
    records: Vec<Record>,
}

/// A message as Lambda hands it over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    message_id: String,
    body: String,
    /// The system attributes.
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default)]
    message_attributes: BTreeMap<String, Attribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attribute {
    string_value: Option<String>,
}

impl Record {
    fn info(&self) -> MessageInfo<'_> {
        let number = |name| self.attributes.get(name).and_then(|value: &String| value.parse().ok());
        let mut info = MessageInfo::new(&self.message_id);
        if let Some(count) = number("ApproximateReceiveCount") {
            info = info.attempt(u32::try_from(count).unwrap_or(u32::MAX));
        }
        if let Some(millis) = number("SentTimestamp") {
            info = info.sent(Timestamp::from_unix_millis(millis));
        }
        info
    }

    fn texts(&self) -> BTreeMap<String, String> {
        let texts = self.message_attributes.iter();
        texts
            .filter_map(|(name, value)| Some((name.clone(), value.string_value.clone()?)))
            .collect()
    }
}

async fn bill(body: &str) -> Result<u32, std::num::ParseIntError> {
    body.parse()
}

async fn handle(queue: Arc<MessageObserver>, event: LambdaEvent<Event>) -> Result<Value, Error> {
    let batch = queue.batch();
    for record in &event.payload.records {
        let texts = record.texts();
        let message = sqs::Message::new(&record.attributes, &texts);
        batch.process(&message, record.info(), bill(&record.body)).await;
    }
    Ok(batch.response())
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Error> {
    let telemetry = Telemetry::init("billing")?;
    let queue = Arc::new(MessageObserver::new(&telemetry, "aws_sqs", "placed-orders")?);
    let handle = service_fn(move |event| handle(Arc::clone(&queue), event));
    lambda_runtime::run(LambdaLayer::new(&telemetry)?.layer(handle)).await
}
