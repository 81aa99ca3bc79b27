//! Ids in messages: SQS, SNS, EventBridge, Step Functions, Kinesis.
//!
//! Nothing here knows an SDK. The sender lets a request write into [`MessageFields`] and puts
//! what is in there where the service has room for it; the receiver shows the message as a
//! [`Carrier`](super::Carrier) and extracts from it as from headers.
//!
//! | service | sender | receiver |
//! |---|---|---|
//! | SQS | system attribute [`sqs::TRACE_HEADER`] and [`MessageFields::attributes`] | [`sqs::Message`] |
//! | SNS | [`MessageFields::attributes`] | [`sqs::Message`] with raw delivery, else [`sns::Envelope`] |
//! | EventBridge | the entry's `TraceHeader` and [`embedded::insert`] into `detail` | [`embedded::get`] |
//! | Step Functions | `traceHeader` and [`embedded::insert`] into the input | [`embedded::get`] |
//! | Kinesis | [`kinesis::wrap`] | [`kinesis::Record`] |
//!
//! One message continues its sender's trace ([`Propagators::extract`](super::Propagators::extract));
//! several that are received together are linked
//! ([`Propagators::extract_batch`](super::Propagators::extract_batch)).
//!
//! ```
//! use std::collections::BTreeMap;
//! use obs_core::clock::Clock;
//! use obs_core::id::IdGenerator;
//! use obs_core::propagate::message::{MessageFields, sqs};
//! use obs_core::propagate::{Outgoing, Propagators, TrustPolicy};
//!
//! let (clock, ids, propagators) = (Clock::system(), IdGenerator::system(), Propagators::default());
//! let outgoing = Outgoing::new(ids.trace_id(&clock), ids.span_id(), true);
//!
//! // The sender; in a request it is `request.inject(&mut fields, &TrustPolicy::message())`.
//! let mut fields = MessageFields::default();
//! propagators.inject(&outgoing, &mut fields, &TrustPolicy::message());
//! let mut system = BTreeMap::new();
//! system.insert(sqs::TRACE_HEADER.to_owned(), fields.trace_header().unwrap().to_owned());
//! let attributes: BTreeMap<String, String> = fields
//!     .attributes(sqs::MAX_ATTRIBUTES)
//!     .map(|(name, value)| (name.to_owned(), value.to_owned()))
//!     .collect();
//!
//! // The receiver.
//! let message = sqs::Message::new(&system, &attributes);
//! let extracted = propagators.extract(&message, &TrustPolicy::message());
//! assert_eq!(extracted.parent.unwrap().parent_span, Some(outgoing.span_id));
//! ```

mod base64;
mod batch;
pub mod embedded;
mod fields;
pub mod kinesis;
mod lookup;
pub mod sns;
pub mod sqs;
#[cfg(test)]
mod tests;

pub use batch::MAX_LINKS;
pub use fields::MessageFields;
pub use lookup::Lookup;
