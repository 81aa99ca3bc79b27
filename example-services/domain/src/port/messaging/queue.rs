use std::fmt;
use std::time::Duration;

use super::{Message, MessagingFuture, NewMessage, Sent};

/// The most messages of one receipt, as in SQS.
pub const MAX_RECEIVE: usize = 10;

/// The longest long poll, as in SQS.
pub const MAX_WAIT: Duration = Duration::from_secs(20);

/// The longest time a received message stays invisible, as in SQS.
pub const MAX_VISIBILITY: Duration = Duration::from_secs(12 * 60 * 60);

/// How long a FIFO queue knows a deduplication id, as in SQS.
pub const DEDUPLICATION_INTERVAL: Duration = Duration::from_secs(5 * 60);

/// A queue: each message goes to one receiver at a time, until one of them deletes it.
///
/// What was sent is durable and is received at least once, in rough order. A received message is
/// invisible to others for a while (its *visibility timeout*); unless it is deleted by then, it
/// comes again, with a higher receive count and a new receipt. One that was received as often as
/// the queue allows goes to the queue's dead-letter queue instead.
///
/// A **FIFO** queue also keeps the order within each group: while messages of a group are in
/// flight, no other of that group is received. It drops a message whose deduplication id it has
/// seen within [`DEDUPLICATION_INTERVAL`].
pub trait Queue: Send + Sync + fmt::Debug + 'static {
    /// Its name; that of a FIFO queue ends with `.fifo`.
    fn name(&self) -> &str;

    /// Whether it is a FIFO queue.
    fn is_fifo(&self) -> bool {
        self.name().ends_with(".fifo")
    }

    /// Sends one message.
    ///
    /// # Errors
    /// `Invalid` when it is too large, has too many attributes, a delay that is too long, or,
    /// for a FIFO queue, no group; for a standard queue, a group.
    fn send<'a>(&'a self, message: &'a NewMessage) -> MessagingFuture<'a, Sent>;

    /// Takes up to `max` messages; waits for the first if there is none.
    ///
    /// Dropping the future may leave messages received by nobody, which come again after their
    /// visibility timeout.
    ///
    /// # Errors
    /// `Invalid` when `request` is out of range.
    fn receive(&self, request: Receive) -> MessagingFuture<'_, Vec<Message>>;

    /// Deletes a received message. Succeeds also when it is gone.
    ///
    /// A receipt that is no longer the latest deletes nothing.
    fn delete<'a>(&'a self, receipt: &'a str) -> MessagingFuture<'a, ()>;

    /// Sets how long from now a received message stays invisible; zero gives it back at once.
    ///
    /// # Errors
    /// `Expired` when the receipt is not the latest, or the message is visible again.
    fn extend<'a>(&'a self, receipt: &'a str, visibility: Duration) -> MessagingFuture<'a, ()>;

    /// Sends up to `limit` messages of this dead-letter queue back to the queues they came from,
    /// the oldest first, with their receive counts at zero; says how many.
    fn redrive(&self, limit: usize) -> MessagingFuture<'_, usize>;

    /// How full it is.
    fn depth(&self) -> MessagingFuture<'_, Depth>;

    /// Up to `limit` messages, the oldest first, without receiving them; their receipts are empty.
    ///
    /// SQS cannot look without receiving: an adapter's peek counts as a receipt.
    fn peek(&self, limit: usize) -> MessagingFuture<'_, Vec<Message>>;
}

/// How messages are taken out of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receive {
    /// How many at most; 1 to [`MAX_RECEIVE`].
    pub max: usize,
    /// How long to wait for the first; at most [`MAX_WAIT`].
    pub wait: Duration,
    /// How long they stay invisible; at most [`MAX_VISIBILITY`]. `None` takes the queue's own.
    pub visibility: Option<Duration>,
}

impl Default for Receive {
    /// Up to ten, with the longest wait and the queue's own visibility timeout.
    fn default() -> Self {
        Self { max: MAX_RECEIVE, wait: MAX_WAIT, visibility: None }
    }
}

impl Receive {
    /// Up to `max` that are there now.
    #[must_use]
    pub const fn now(max: usize) -> Self {
        Self { max, wait: Duration::ZERO, visibility: None }
    }

    /// Sets how long to wait for the first.
    #[must_use]
    pub const fn wait(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Sets how long they stay invisible.
    #[must_use]
    pub const fn visibility(mut self, visibility: Duration) -> Self {
        self.visibility = Some(visibility);
        self
    }
}

/// How full a queue is. Its parts are disjoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Messages that a receiver would get, FIFO groups in flight aside.
    pub visible: u64,
    /// Messages that were received and may come again.
    pub in_flight: u64,
    /// Messages whose delay is not over.
    pub delayed: u64,
    /// How long ago the oldest message was sent, in milliseconds; 0 if there is none.
    pub oldest_age_ms: u64,
}

impl Depth {
    /// All messages.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.visible + self.in_flight + self.delayed
    }
}
