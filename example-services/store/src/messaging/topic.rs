use std::fmt;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use shop_contracts::topology::TopicSpec;
use shop_domain::port::messaging::{
    MessagingError, MessagingFuture, NewMessage, Sent, Subscription, Topic,
};

use super::delivery::Delivery;
use super::{Shared, check};
use crate::sqlite::column::count;

/// A topic on SQLite; cheap to clone.
#[derive(Clone)]
pub struct SqliteTopic {
    shared: Arc<Shared>,
    at: usize,
}

impl SqliteTopic {
    pub(super) const fn new(shared: Arc<Shared>, at: usize) -> Self {
        Self { shared, at }
    }

    fn spec(&self) -> &TopicSpec {
        &self.shared.topology.topics[self.at]
    }

    async fn publish(&self, message: &NewMessage) -> Result<Sent, MessagingError> {
        check::message("topic.publish", message)?;
        if message.group_id.is_some() || message.delay.is_some() {
            let rule = "a topic has no groups and no delays";
            return Err(MessagingError::invalid("topic.publish", rule));
        }
        let (topic, message, ringing) = (self.clone(), message.clone(), Arc::clone(&self.shared));
        let publish = move |db: &Connection| {
            let now_ms = topic.shared.now_ms();
            let topology = &topic.shared.topology;
            let mut delivery = Delivery { db, topology, now_ms, reached: Vec::new() };
            let number = delivery.topic(topic.spec(), &message)?;
            let message_id = format!("{}-{number}", topic.spec().name);
            Ok((Sent { message_id, sequence: None }, delivery.reached))
        };
        let ring = move |(_, reached): &(Sent, Vec<String>)| ringing.bells.ring_all(reached);
        let (sent, _) = self.shared.database.write_then("topic.publish", publish, ring).await?;
        Ok(sent)
    }

    async fn subscriptions(&self) -> Result<Vec<Subscription>, MessagingError> {
        let topic = self.clone();
        let read = move |db: &Connection| {
            let subscriptions = topic.spec().subscriptions.iter().map(|subscription| {
                let counted = db
                    .prepare_cached(
                        "SELECT delivered, filtered_out FROM subscriptions
                         WHERE topic = ? AND queue = ?",
                    )?
                    .query_row(params![topic.spec().name, subscription.queue], |row| {
                        Ok((count(row, 0)?, count(row, 1)?))
                    })
                    .optional()?;
                let (delivered, filtered_out) = counted.unwrap_or_default();
                Ok(Subscription { queue: subscription.queue.clone(), delivered, filtered_out })
            });
            subscriptions.collect()
        };
        Ok(self.shared.database.read("topic.subscriptions", read).await?)
    }
}

impl Topic for SqliteTopic {
    fn name(&self) -> &str {
        &self.spec().name
    }

    fn publish<'a>(&'a self, message: &'a NewMessage) -> MessagingFuture<'a, Sent> {
        Box::pin(self.publish(message))
    }

    fn subscriptions(&self) -> MessagingFuture<'_, Vec<Subscription>> {
        Box::pin(self.subscriptions())
    }
}

impl fmt::Debug for SqliteTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteTopic").field("name", &self.spec().name).finish_non_exhaustive()
    }
}
