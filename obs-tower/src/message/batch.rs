use std::fmt;
use std::future::Future;
use std::sync::{Mutex, PoisonError};

use obs_core::propagate::Carrier;
use serde_json::{Value, json};

use super::observer::{MessageInfo, MessageObserver};

/// Messages that were received together, each with a record of its own.
///
/// It remembers which of them failed, for the answer that has only these delivered again.
///
/// ```
/// # use std::collections::BTreeMap;
/// # use obs_core::telemetry::Telemetry;
/// # use obs_tower::message::{MessageInfo, MessageObserver};
/// # async fn handle(id: &str) -> Result<(), std::io::Error> { Ok(()) }
/// # async fn example(observer: &MessageObserver, received: Vec<(String, BTreeMap<String, String>)>) {
/// let batch = observer.batch();
/// for (id, attributes) in &received {
///     batch.process(attributes, MessageInfo::new(id), handle(id)).await;
/// }
/// let answer = batch.response(); // {"batchItemFailures":[…]}
/// # }
/// ```
pub struct Batch<'a> {
    observer: &'a MessageObserver,
    failed: Mutex<Vec<String>>,
}

impl MessageObserver {
    /// Starts a batch of messages that were received together.
    #[must_use]
    pub const fn batch(&self) -> Batch<'_> {
        Batch { observer: self, failed: Mutex::new(Vec::new()) }
    }
}

impl Batch<'_> {
    /// Processes one message, as [`MessageObserver::observe`] does, and notes if it fails.
    ///
    /// The answer is what the message's future gave, or `None` if it failed. If the future is
    /// dropped or panics, the message counts as failed.
    pub async fn process<T, E>(
        &self,
        message: &impl Carrier,
        info: MessageInfo<'_>,
        future: impl Future<Output = Result<T, E>>,
    ) -> Option<T> {
        let mut unless_done = Unless { batch: self, id: Some(info.id.to_owned()) };
        let value = self.observer.observe(message, info, future).await.ok()?;
        unless_done.id = None;
        Some(value)
    }

    /// The ids of the messages that failed, in the order in which they did.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    ///
    /// use obs_core::telemetry::Telemetry;
    /// use obs_tower::message::{MessageInfo, MessageObserver};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// let telemetry = Telemetry::builder("billing").build()?;
    /// let observer = MessageObserver::new(&telemetry, "aws_sqs", "placed-orders")?;
    /// let batch = observer.batch();
    /// let attributes = BTreeMap::<String, String>::new();
    /// batch.process(&attributes, MessageInfo::new("m-1"), async { "seven".parse::<u32>() }).await;
    /// assert_eq!(batch.failed(), ["m-1"]);
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn failed(&self) -> Vec<String> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The
    /// [partial batch response](https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting)
    /// of a Lambda function: `{"batchItemFailures":[{"itemIdentifier":"…"}]}`.
    #[must_use]
    pub fn response(&self) -> Value {
        let items = self.failed().into_iter().map(|id| json!({ "itemIdentifier": id }));
        json!({ "batchItemFailures": items.collect::<Vec<_>>() })
    }
}

/// Notes a failure when it is dropped with an id.
struct Unless<'b, 'a> {
    batch: &'b Batch<'a>,
    id: Option<String>,
}

impl Drop for Unless<'_, '_> {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.batch.failed.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        }
    }
}

impl fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("failed", &self.failed()).finish_non_exhaustive()
    }
}
