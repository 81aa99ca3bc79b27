use std::collections::BTreeMap;
use std::error::Error;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use obs_core::clock::Timestamp;
use obs_core::config::ConfigError;
use obs_core::context::RequestContext;
use obs_core::telemetry::Telemetry;
use obs_core::trace::SpanKind;
use obs_tower::message::{Batch, MessageInfo, MessageObserver};
use shop_domain::port::messaging::{Message, MessagingError, Queue, Receive};

use super::{Carried, HandleError, Job};
use crate::observe::take_over;

/// The wait before the second attempt at a message; it doubles with each further one.
const FIRST_BACK_OFF: Duration = Duration::from_millis(500);

/// The longest wait before another attempt.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(60);

/// How long to leave a queue alone that could not be read.
const PAUSE: Duration = Duration::from_secs(1);

/// What is needed to work on the messages of a queue.
#[derive(Clone, Debug)]
pub struct Consumer {
    queue: Arc<dyn Queue>,
    telemetry: Telemetry,
    observer: MessageObserver,
    receive: Receive,
}

impl Consumer {
    /// The service that `telemetry` belongs to works on the messages of `queue`.
    ///
    /// # Errors
    /// When the name of the queue makes no valid metrics.
    pub fn new(queue: Arc<dyn Queue>, telemetry: &Telemetry) -> Result<Self, ConfigError> {
        // The queue before a target of a rule is called `rule/target`; no dimension has a slash.
        let name = queue.name().replace('/', ".");
        let observer = MessageObserver::new(telemetry, "aws_sqs", name)?;
        Ok(Self { queue, telemetry: telemetry.clone(), observer, receive: Receive::default() })
    }

    /// Sets how messages are taken out of the queue. Default [`Receive::default`].
    #[must_use]
    pub const fn receive(mut self, receive: Receive) -> Self {
        self.receive = receive;
        self
    }

    /// Works on messages that were received together.
    async fn work<F, E>(&self, messages: Vec<Message>, handle: &impl Fn(Message) -> F)
    where
        F: Future<Output = Result<(), E>>,
        E: Into<HandleError>,
    {
        if messages.len() > 1 {
            let carriers = messages.iter().map(Carried::by);
            let received = Job::caused_by_all(&self.telemetry, carriers)
                .attribute("messaging.system", "aws_sqs")
                .attribute("messaging.destination.name", self.queue.name().to_owned())
                .attribute("messaging.operation.type", "receive")
                .attribute("messaging.batch.message_count", messages.len());
            received.end(format!("receive {}", self.queue.name()), SpanKind::Consumer, None);
        }
        let batch = self.observer.batch();
        // Messages of one FIFO group come one after the other, all others side by side.
        let mut groups: BTreeMap<String, Vec<Message>> = BTreeMap::new();
        for message in messages {
            let group = message.group_id.clone().unwrap_or_else(|| message.message_id.clone());
            groups.entry(group).or_default().push(message);
        }
        let groups = groups.into_values();
        join_all(groups.map(|group| self.in_order(&batch, group, handle))).await;
    }

    /// One after the other; after one that fails, the others are given back.
    async fn in_order<F, E>(
        &self,
        batch: &Batch<'_>,
        messages: Vec<Message>,
        handle: &impl Fn(Message) -> F,
    ) where
        F: Future<Output = Result<(), E>>,
        E: Into<HandleError>,
    {
        let mut failed = false;
        for message in messages {
            if failed {
                self.told(self.queue.extend(&message.receipt, Duration::ZERO).await);
            } else {
                failed = !self.one(batch, message, handle).await;
            }
        }
    }

    /// Works on a message and deletes it, or leaves it for another attempt; says whether it was
    /// done.
    async fn one<F, E>(
        &self,
        batch: &Batch<'_>,
        message: Message,
        handle: &impl Fn(Message) -> F,
    ) -> bool
    where
        F: Future<Output = Result<(), E>>,
        E: Into<HandleError>,
    {
        let info = MessageInfo::new(&message.message_id)
            .attempt(message.receive_count)
            .sent(Timestamp::from_unix_millis(message.sent_at_ms));
        let work = async {
            RequestContext::with_current(take_over);
            let result = handle(message.clone()).await.map_err(Into::into);
            if let Err(error) = &result {
                let cause = error.source().map(ToString::to_string);
                let (cause, attempt) = (cause.as_deref(), message.receive_count);
                tracing::warn!(%error, cause, attempt, "message failed");
            }
            result
        };
        let done = batch.process(&Carried::by(&message), info, work).await.is_some();
        let told = if done {
            self.queue.delete(&message.receipt).await
        } else {
            self.queue.extend(&message.receipt, back_off(message.receive_count)).await
        };
        self.told(told);
        done
    }

    /// What is not deleted comes again, which the handler can bear.
    fn told(&self, result: Result<(), MessagingError>) {
        if let Err(error) = result {
            tracing::warn!(queue = self.queue.name(), %error, "message will come again");
        }
    }
}

fn back_off(attempt: u32) -> Duration {
    let factor = 2_u32.saturating_pow(attempt.saturating_sub(1));
    FIRST_BACK_OFF.saturating_mul(factor).min(LONGEST_BACK_OFF)
}

/// Works on the messages of a queue until `stop` completes; what has begun by then is finished.
///
/// `handle` is called at least once for each message, and again after it fails, until the queue's
/// limit of receipts; so it must bear to see a message twice. Cancel-safe: messages whose work is
/// dropped come again.
pub async fn consume<F, E>(
    consumer: Consumer,
    stop: impl Future<Output = ()>,
    handle: impl Fn(Message) -> F,
) where
    F: Future<Output = Result<(), E>>,
    E: Into<HandleError>,
{
    let mut stop = std::pin::pin!(stop);
    loop {
        let received = tokio::select! {
            // First, for a message that is received and not worked on has lost an attempt.
            biased;
            () = &mut stop => return,
            received = consumer.queue.receive(consumer.receive) => received,
        };
        match received {
            Ok(messages) => consumer.telemetry.scope(consumer.work(messages, &handle)).await,
            Err(error) => {
                let pause = async {
                    let cause = error.source().map(ToString::to_string);
                    let queue = consumer.queue.name();
                    tracing::warn!(queue, %error, cause, "queue cannot be read");
                    tokio::time::sleep(PAUSE).await;
                };
                consumer.telemetry.scope(pause).await;
            }
        }
    }
}
