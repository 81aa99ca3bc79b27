//! Working on messages: each has a record of its own and continues its sender's trace.
//!
//! | function | does |
//! |---|---|
//! | [`consume`] | works on the messages of a queue |
//! | [`read`] | works on the records of a stream |
//! | [`relay`] | puts the events of an outbox on a bus |
//! | [`watch`] | tells how old and how many the messages of queues are |
//! | [`addressed`] | makes a message that continues the current request's trace |

mod carried;
mod consume;
mod read;
mod relay;
mod span;
mod watch;

use obs_core::context::RequestContext;
use obs_core::propagate::TrustPolicy;
use obs_core::propagate::message::MessageFields;
use shop_domain::port::messaging::{MAX_ATTRIBUTES, NewMessage, TRACE_HEADER};

/// Why a message, or a batch of records, could not be worked on.
pub type HandleError = Box<dyn std::error::Error + Send + Sync>;

pub use self::carried::Carried;
pub use self::consume::{Consumer, consume};
pub use self::read::{ITERATOR_AGE, Reader, read};
pub use self::relay::{Relay, relay};
pub use self::span::Job;
pub use self::watch::{QUEUE_AGE, QUEUE_DEPTH, QUEUE_IN_FLIGHT, watch};

/// Puts the ids of the current request into a message: `AWSTraceHeader` as system attribute,
/// `traceparent`, `x-correlation-id` and `baggage` as attributes, as far as there is room.
#[must_use]
pub fn addressed(mut message: NewMessage) -> NewMessage {
    let mut fields = MessageFields::default();
    RequestContext::with_current(|context| context.inject(&mut fields, &TrustPolicy::message()));
    if let Some(header) = fields.trace_header() {
        message.system_attributes.insert(TRACE_HEADER.to_owned(), header.to_owned());
    }
    let room = MAX_ATTRIBUTES.saturating_sub(message.attributes.len());
    for (name, value) in fields.attributes(room) {
        message.attributes.insert(name.to_owned(), value.to_owned());
    }
    message
}
