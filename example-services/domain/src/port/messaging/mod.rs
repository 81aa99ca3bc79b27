//! Messages between services: queues, topics, an event bus and streams.
//!
//! The traits keep the semantics and the limits of SQS, SNS, EventBridge and Kinesis, so that one
//! suite judges what is embedded and what is an adapter to them. Every method may be repeated; a
//! method that returns `Ok` has been made durable.

mod bus;
mod error;
mod message;
mod queue;
mod stream;
mod topic;

use std::future::Future;
use std::pin::Pin;

pub use bus::{Archived, EventBus, MAX_EVENTS, NewEvent, Put, Replay, Verdict};
pub use error::{MessagingError, MessagingErrorKind};
pub use message::{
    Attributes, MAX_ATTRIBUTES, MAX_DELAY, MAX_MESSAGE_BYTES, Message, NewMessage, Sent,
    TRACE_HEADER,
};
pub use queue::{
    DEDUPLICATION_INTERVAL, Depth, MAX_RECEIVE, MAX_VISIBILITY, MAX_WAIT, Queue, Receive,
};
pub use stream::{Appended, Lag, MAX_RECORD_BYTES, MAX_RECORDS, Position, Record, Stream};
pub use topic::{Subscription, Topic};

/// What a method of a messaging port returns.
pub type MessagingFuture<'a, T> =
    Pin<Box<dyn Future<Output = Result<T, MessagingError>> + Send + 'a>>;
