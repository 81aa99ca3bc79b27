use std::fmt;

use super::{MessagingFuture, NewMessage, Sent};

/// A topic: each message goes to all subscribed queues whose filter policy it passes.
///
/// Delivery is raw: body and attributes arrive as they were published. Filter policies look at
/// the attributes. What was published is durable and is delivered at least once.
pub trait Topic: Send + Sync + fmt::Debug + 'static {
    /// Its name.
    fn name(&self) -> &str;

    /// Publishes one message.
    ///
    /// # Errors
    /// `Invalid` when it is too large or has too many attributes.
    fn publish<'a>(&'a self, message: &'a NewMessage) -> MessagingFuture<'a, Sent>;

    /// Its subscriptions and what they did so far.
    fn subscriptions(&self) -> MessagingFuture<'_, Vec<Subscription>>;
}

/// A queue's subscription to a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The queue that messages are delivered to.
    pub queue: String,
    /// Messages that were delivered; SNS calls it `NumberOfNotificationsDelivered`.
    pub delivered: u64,
    /// Messages that the filter policy kept away; SNS calls it
    /// `NumberOfNotificationsFilteredOut`.
    pub filtered_out: u64,
}
