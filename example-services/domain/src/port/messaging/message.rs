use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// The system attribute in which SQS carries the X-Ray header.
pub const TRACE_HEADER: &str = "AWSTraceHeader";

/// The most bytes of a message: body, and names and values of its attributes.
///
/// Source: [quotas of SQS](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html)
/// (1 MiB since August 2025) and of SNS and EventBridge (256 KiB); the smallest counts, as a
/// message may pass through all of them.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;

/// The most attributes of a message, as in SQS.
pub const MAX_ATTRIBUTES: usize = 10;

/// The longest delay of a message, as in SQS.
pub const MAX_DELAY: Duration = Duration::from_secs(900);

/// Named strings that travel beside a body.
pub type Attributes = BTreeMap<String, String>;

/// A message before it is sent.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NewMessage {
    /// The content.
    pub body: String,
    /// Attributes; at most [`MAX_ATTRIBUTES`]. `traceparent`, `baggage` and `x-correlation-id`
    /// are among them.
    pub attributes: Attributes,
    /// Attributes of the service's own, such as [`TRACE_HEADER`]; they count for no limit.
    pub system_attributes: Attributes,
    /// How long it stays invisible at first; at most [`MAX_DELAY`], rounded to milliseconds.
    ///
    /// Standard queues only. `None` takes the queue's own delay.
    pub delay: Option<Duration>,
    /// FIFO only, and required there: messages of one group are received in order, one batch at a
    /// time.
    pub group_id: Option<String>,
    /// FIFO only: a second message with the same id within five minutes is accepted and dropped.
    ///
    /// `None` takes a digest of the body.
    pub deduplication_id: Option<String>,
}

impl NewMessage {
    /// A message with this body.
    #[must_use]
    pub fn new(body: impl Into<String>) -> Self {
        Self { body: body.into(), ..Self::default() }
    }

    /// Adds an attribute.
    #[must_use]
    pub fn attribute(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.attributes.insert(name.into(), value.into());
        self
    }

    /// Sets the group and the deduplication id of a message for a FIFO queue.
    #[must_use]
    pub fn fifo(mut self, group: impl Into<String>, deduplication: impl Into<String>) -> Self {
        self.group_id = Some(group.into());
        self.deduplication_id = Some(deduplication.into());
        self
    }

    /// Sets how long it stays invisible at first.
    #[must_use]
    pub const fn delay(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// The bytes that count for [`MAX_MESSAGE_BYTES`].
    #[must_use]
    pub fn size(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, value)| name.len() + value.len());
        self.body.len() + attributes.sum::<usize>()
    }
}

/// Tells sizes and attributes, not the body, which may hold what no log should.
impl fmt::Debug for NewMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewMessage")
            .field("body_bytes", &self.body.len())
            .field("attributes", &self.attributes.keys())
            .field("group_id", &self.group_id)
            .finish_non_exhaustive()
    }
}

/// What a queue or topic says of a message it has accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The id under which it is known; that of the first one for a FIFO duplicate.
    pub message_id: String,
    /// FIFO only: its place in the queue, ever growing.
    pub sequence: Option<u64>,
}

/// A received message.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The id that [`Sent`] told.
    pub message_id: String,
    /// Stands for this receipt of the message: for deleting it and for its visibility.
    pub receipt: String,
    /// The content.
    pub body: String,
    /// What the sender put beside the body.
    pub attributes: Attributes,
    /// What the sender put into the service's own attributes, such as [`TRACE_HEADER`].
    pub system_attributes: Attributes,
    /// How often it was received, 1 for the first time.
    pub receive_count: u32,
    /// When it was sent, in milliseconds since 1970-01-01T00:00:00Z.
    pub sent_at_ms: u64,
    /// When it was received for the first time, in milliseconds since 1970-01-01T00:00:00Z.
    pub first_received_at_ms: u64,
    /// FIFO only: its group.
    pub group_id: Option<String>,
    /// FIFO only: its place in the queue.
    pub sequence: Option<u64>,
    /// The queue it was taken out of after too many receipts, when it is in a dead-letter queue.
    pub dead_letter_source: Option<String>,
}

/// Tells ids and counts, not the body, which may hold what no log should.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("message_id", &self.message_id)
            .field("body_bytes", &self.body.len())
            .field("attributes", &self.attributes.keys())
            .field("receive_count", &self.receive_count)
            .field("group_id", &self.group_id)
            .finish_non_exhaustive()
    }
}
