//! Which queues, topics, rules and streams there are, and what leads where.

mod arn;
mod check;
mod read;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

pub use arn::{Arn, Service};

use crate::Pattern;

/// Everything that messages pass through, checked: whatever is named exists.
#[derive(Clone, Debug)]
pub struct Topology {
    /// Queues, dead-letter queues among them.
    pub queues: Vec<QueueSpec>,
    /// Topics with their subscriptions.
    pub topics: Vec<TopicSpec>,
    /// The bus with its rules.
    pub bus: BusSpec,
    /// Streams.
    pub streams: Vec<StreamSpec>,
}

/// A queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSpec {
    /// Its name; that of a FIFO queue ends with `.fifo`.
    pub name: String,
    /// How long a received message stays invisible. Default 30 s, as in SQS.
    pub visibility: Duration,
    /// How long a message stays invisible at first. Default 0.
    pub delay: Duration,
    /// How long messages are kept. Default 4 days, as in SQS.
    pub retention: Duration,
    /// Where messages go that were received too often.
    pub dead_letter: Option<DeadLetter>,
}

/// Where messages of a queue go that were received too often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// The dead-letter queue.
    pub queue: String,
    /// How often a message may be received before.
    pub max_receives: u32,
}

/// A topic.
#[derive(Clone, Debug)]
pub struct TopicSpec {
    /// Its name.
    pub name: String,
    /// Who gets its messages.
    pub subscriptions: Vec<SubscriptionSpec>,
}

/// A queue's subscription to a topic.
#[derive(Clone, Debug)]
pub struct SubscriptionSpec {
    /// The queue.
    pub queue: String,
    /// What a message must be like.
    pub filter: Option<Filter>,
}

/// A filter policy.
#[derive(Clone, Debug)]
pub struct Filter {
    /// What must match.
    pub policy: Pattern,
    /// What it is matched with.
    pub scope: Scope,
}

/// What a filter policy looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The attributes.
    MessageAttributes,
    /// The body, which is JSON.
    MessageBody,
}

/// A bus.
#[derive(Clone, Debug)]
pub struct BusSpec {
    /// Its name.
    pub name: String,
    /// How long events stay in the archive. Default 7 days.
    pub archive: Duration,
    /// Its rules.
    pub rules: Vec<RuleSpec>,
}

/// A rule of a bus.
#[derive(Clone, Debug)]
pub struct RuleSpec {
    /// Its name.
    pub name: String,
    /// Which events it is about.
    pub pattern: Pattern,
    /// Who gets them.
    pub targets: Vec<TargetSpec>,
}

/// A target of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetSpec {
    /// Its name within the rule.
    pub id: String,
    /// Who it is.
    pub arn: Arn,
    /// The part of the event that it gets, as names of members from the outside in. Empty for all.
    pub input: Vec<String>,
    /// For a stream: where the partition key stands.
    pub partition_key: Vec<String>,
    /// How often delivery is tried again. Default 185, as in EventBridge.
    pub max_retries: u32,
    /// The queue for what could not be delivered.
    pub dead_letter: Option<String>,
}

impl fmt::Display for TargetSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.arn.service.as_str(), self.arn.name)
    }
}

/// A stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSpec {
    /// Its name.
    pub name: String,
    /// How many shards it has.
    pub shards: u32,
    /// How long records are kept. Default 24 h, as in Kinesis.
    pub retention: Duration,
}

/// The four files as text.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// `queues.json`.
    pub queues: &'a str,
    /// `topics.json`.
    pub topics: &'a str,
    /// `bus-rules.json`.
    pub bus_rules: &'a str,
    /// `streams.json`.
    pub streams: &'a str,
}

/// The files of this crate.
pub const FILES: Files<'static> = Files {
    queues: include_str!("../queues.json"),
    topics: include_str!("../topics.json"),
    bus_rules: include_str!("../bus-rules.json"),
    streams: include_str!("../streams.json"),
};

impl Topology {
    /// Reads the files of this crate.
    ///
    /// # Errors
    /// As [`Topology::parse`].
    pub fn embedded() -> Result<Self, TopologyError> {
        Self::parse(FILES)
    }

    /// Reads files and checks that what they name exists.
    ///
    /// # Errors
    /// [`TopologyError`] names the file or the thing, and what is wrong with it.
    pub fn parse(files: Files<'_>) -> Result<Self, TopologyError> {
        let topology = read::all(files)?;
        check::all(&topology)?;
        Ok(topology)
    }

    /// The queue of this name.
    #[must_use]
    pub fn queue(&self, name: &str) -> Option<&QueueSpec> {
        self.queues.iter().find(|queue| queue.name == name)
    }
}

/// Files that do not fit together.
#[derive(Debug)]
pub struct TopologyError {
    what: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl TopologyError {
    fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), source: None }
    }

    fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for TopologyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for TopologyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}
