use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use obs_core::clock::Timestamp;
use obs_core::config::ConfigError;
use obs_core::telemetry::Telemetry;
use obs_tower::message::{MessageInfo, MessageObserver};
use serde_json::Value;
use shop_domain::port::messaging::{Message, Queue, Receive};
use shop_store::SqliteQueue;
use tokio::task::JoinHandle;

use super::carrier::Ids;

/// How long to leave a queue alone that could not be read.
const RETRY: Duration = Duration::from_millis(500);

/// How long a message stays away that could not be processed: so often as long as it was received.
const BACKOFF: Duration = Duration::from_millis(500);

/// Why a message could not be processed.
pub(crate) type HandleError = Box<dyn Error + Send + Sync>;

/// Handles what comes through `queue`, for ever: the messages of a receipt side by side, those of
/// one FIFO group one after the other.
///
/// `handle` gets the message and its body as JSON, `null` if it is none. A message is deleted when
/// it succeeds; otherwise it comes again, until the queue's dead-letter queue takes it.
pub(crate) fn consume<H, F>(
    telemetry: &Telemetry,
    queue: SqliteQueue,
    handle: H,
) -> Result<JoinHandle<()>, ConfigError>
where
    H: Fn(Message, Value) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), HandleError>> + Send,
{
    let name: Arc<str> = queue.name().replace('/', ".").into();
    let observer = MessageObserver::new(telemetry, "aws_sqs", name)?;
    let scope = telemetry.clone();
    let serve = async move {
        let consumer = Consumer { queue, observer, handle };
        loop {
            match consumer.queue.receive(Receive::default()).await {
                Ok(messages) => consumer.all(messages).await,
                Err(error) => {
                    tracing::warn!(%error, queue = consumer.queue.name(), "queue cannot be read");
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    };
    Ok(tokio::spawn(async move { scope.scope(serve).await }))
}

struct Consumer<H> {
    queue: SqliteQueue,
    observer: MessageObserver,
    handle: H,
}

impl<H, F> Consumer<H>
where
    H: Fn(Message, Value) -> F,
    F: Future<Output = Result<(), HandleError>>,
{
    async fn all(&self, messages: Vec<Message>) {
        let mut groups: BTreeMap<String, Vec<Message>> = BTreeMap::new();
        for message in messages {
            let group = message.group_id.clone().unwrap_or_else(|| message.message_id.clone());
            groups.entry(group).or_default().push(message);
        }
        join_all(groups.into_values().map(|group| async {
            for message in group {
                if !self.one(message).await {
                    // The rest of the group must not overtake it.
                    break;
                }
            }
        }))
        .await;
    }

    async fn one(&self, message: Message) -> bool {
        let (receipt, count) = (message.receipt.clone(), message.receive_count);
        let body: Value = serde_json::from_str(&message.body).unwrap_or_default();
        let ids = Ids::of(&message, &body);
        let id = message.message_id.clone();
        let info = MessageInfo::new(&id)
            .attempt(count)
            .sent(Timestamp::from_unix_millis(message.sent_at_ms));
        let work = async {
            let done = (self.handle)(message, body).await;
            if let Err(error) = &done {
                let cause = error.source().map(ToString::to_string);
                tracing::warn!(error = %error, cause = cause.as_deref(), attempt = count, "message failed");
            }
            // A type of its own: a box of errors is no error.
            done.map_err(|error| std::io::Error::other(error.to_string()))
        };
        let done = self.observer.observe(&ids, info, work).await.is_ok();
        let settled = if done {
            self.queue.delete(&receipt).await
        } else {
            self.queue.extend(&receipt, BACKOFF * count.min(20)).await
        };
        if let Err(error) = settled {
            // It comes again after its visibility timeout; whoever handles it must stand that.
            tracing::warn!(%error, "message is not settled");
        }
        done
    }
}
