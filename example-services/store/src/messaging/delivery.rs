//! Hands messages on, within the transaction that brought them.

use rusqlite::{Connection, params};
use serde_json::Value;
use sha2::{Digest, Sha256};
use shop_contracts::Topology;
use shop_contracts::topology::{
    Filter, RuleSpec, Scope, Service, StreamSpec, TargetSpec, TopicSpec,
};
use shop_domain::port::messaging::{Appended, NewMessage, TRACE_HEADER};
use shop_domain::port::millis;

use super::{Pump, row};

/// Every so many records, those that are too old are looked for.
const SWEEP_EVERY: u64 = 256;

/// A transaction that hands messages on, and whom it has to wake.
pub(super) struct Delivery<'a> {
    pub(super) db: &'a Connection,
    pub(super) topology: &'a Topology,
    pub(super) now_ms: u64,
    /// Queues and streams that got something.
    pub(super) reached: Vec<String>,
}

impl Delivery<'_> {
    pub(super) fn queue(&mut self, name: &str, message: &NewMessage) -> rusqlite::Result<()> {
        // The topology has been checked: what it names exists.
        let queue = self.topology.queue(name).ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        row::insert(self.db, queue, message, self.now_ms)?;
        self.reached.push(name.to_owned());
        Ok(())
    }

    /// Hands a message to the subscribed queues; the number of the publication.
    pub(super) fn topic(
        &mut self,
        topic: &TopicSpec,
        message: &NewMessage,
    ) -> rusqlite::Result<u64> {
        let number: i64 = self
            .db
            .prepare_cached(
                "INSERT INTO topics VALUES (?, 1)
                 ON CONFLICT DO UPDATE SET published = published + 1 RETURNING published",
            )?
            .query_row([&topic.name], |row| row.get(0))?;
        let body = topic.subscriptions.iter().any(needs_body).then(|| body(message));
        let attributes = attributes(message);
        for subscription in &topic.subscriptions {
            let passes = subscription.filter.as_ref().is_none_or(|filter| match filter.scope {
                Scope::MessageAttributes => filter.policy.matches(&attributes),
                Scope::MessageBody => body.as_ref().is_some_and(|body| filter.policy.matches(body)),
            });
            self.count(&topic.name, &subscription.queue, passes)?;
            if passes {
                self.queue(&subscription.queue, message)?;
            }
        }
        Ok(number.cast_unsigned())
    }

    fn count(&self, topic: &str, queue: &str, passes: bool) -> rusqlite::Result<()> {
        self.db
            .prepare_cached(
                "INSERT INTO subscriptions VALUES (?1, ?2, ?3, 1 - ?3) ON CONFLICT DO UPDATE SET
                 delivered = delivered + ?3, filtered_out = filtered_out + 1 - ?3",
            )?
            .execute(params![topic, queue, i64::from(passes)])
            .map(drop)
    }

    pub(super) fn stream(
        &mut self,
        stream: &StreamSpec,
        key: &str,
        data: &[u8],
    ) -> rusqlite::Result<Appended> {
        let shard = shard_of(key, stream.shards);
        self.db
            .prepare_cached(
                "INSERT INTO records (stream, shard, partition_key, data, put_at_ms)
                 VALUES (?, ?, ?, ?, ?)",
            )?
            .execute(params![stream.name, shard, key, data, self.now_ms.cast_signed()])?;
        let sequence = self.db.last_insert_rowid().cast_unsigned();
        if sequence.is_multiple_of(SWEEP_EVERY) {
            let oldest = self.now_ms.saturating_sub(millis(stream.retention));
            self.db
                .prepare_cached("DELETE FROM records WHERE stream = ? AND put_at_ms < ?")?
                .execute(params![stream.name, oldest.cast_signed()])?;
        }
        self.reached.push(stream.name.clone());
        Ok(Appended { shard: shard_name(shard), sequence })
    }

    /// Hands an event to a target of a rule.
    pub(super) fn target(
        &mut self,
        rule: &RuleSpec,
        target: &TargetSpec,
        event: &Value,
        trace_header: Option<&str>,
    ) -> rusqlite::Result<()> {
        let input = member(event, &target.input).unwrap_or(&Value::Null).to_string();
        let mut message = NewMessage::new(input);
        if let Some(header) = trace_header {
            message.system_attributes.insert(TRACE_HEADER.to_owned(), header.to_owned());
        }
        let name = &target.arn.name;
        match target.arn.service {
            Service::Queue => self.queue(name, &message),
            Service::Topic => match self.topology.topics.iter().find(|topic| topic.name == *name) {
                Some(topic) => self.topic(topic, &message).map(drop),
                None => Ok(()),
            },
            Service::Stream => {
                let key = member(event, &target.partition_key).and_then(Value::as_str);
                // EventBridge takes the event's id where no key is found.
                let key = key.or_else(|| event["id"].as_str()).unwrap_or("-");
                let streams = &self.topology.streams;
                match streams.iter().find(|stream| stream.name == *name) {
                    Some(stream) => self.stream(stream, key, message.body.as_bytes()).map(drop),
                    None => Ok(()),
                }
            }
            Service::Workflow | Service::LogGroup => {
                self.queue(&target.pump(&rule.name).name, &message)
            }
        }
    }
}

fn needs_body(subscription: &shop_contracts::topology::SubscriptionSpec) -> bool {
    matches!(subscription.filter, Some(Filter { scope: Scope::MessageBody, .. }))
}

/// A body that is no JSON passes no filter that looks at it.
fn body(message: &NewMessage) -> Value {
    serde_json::from_str(&message.body).unwrap_or_default()
}

fn attributes(message: &NewMessage) -> Value {
    let attributes = message.attributes.iter();
    attributes.map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
}

fn member<'a>(document: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(document, |value, name| value.get(name))
}

fn shard_of(key: &str, shards: u32) -> u32 {
    let digest = Sha256::digest(key);
    let number = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    u32::try_from(number % u64::from(shards.max(1))).unwrap_or_default()
}

/// The name of a shard, as Kinesis writes it.
pub(super) fn shard_name(shard: u32) -> String {
    format!("shardId-{shard:012}")
}
