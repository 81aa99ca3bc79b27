//! SQS messages, and SNS messages that SQS receives raw.
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use obs_core::propagate::message::sqs;
//! use obs_core::propagate::{Propagators, TrustPolicy};
//!
//! let system = BTreeMap::<String, String>::new();
//! let attributes = BTreeMap::from([("x-correlation-id".to_owned(), "order-7")]);
//! let message = sqs::Message::new(&system, &attributes);
//! let extracted = Propagators::default().extract(&message, &TrustPolicy::message());
//! assert_eq!(extracted.correlation_id.expect("it was sent").as_str(), "order-7");
//! ```

use http::HeaderName;

use super::super::{Carrier, field};

/// The name of the
/// [system attribute](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html#sqs-message-system-attributes)
/// that takes the X-Ray header; it counts towards no quota.
///
/// A receiver gets it if it asks for it with `MessageSystemAttributeNames`.
pub const TRACE_HEADER: &str = "AWSTraceHeader";

/// The most
/// [attributes](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html#sqs-message-attributes)
/// of one message, the application's own among them.
pub const MAX_ATTRIBUTES: usize = 10;

static TRACE_HEADER_FIELD: HeaderName = HeaderName::from_static("awstraceheader");

/// A received message: its system attributes and its attributes.
///
/// The system attribute stands for `X-Amzn-Trace-Id`, whatever the attributes say.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use obs_core::propagate::message::sqs;
/// use obs_core::propagate::{Propagators, TrustPolicy};
///
/// let root = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
/// let system = BTreeMap::from([(sqs::TRACE_HEADER.to_owned(), root)]);
/// let attributes = BTreeMap::<String, String>::new();
/// let message = sqs::Message::new(&system, &attributes);
/// let extracted = Propagators::default().extract(&message, &TrustPolicy::message());
/// assert_eq!(extracted.parent.expect("X-Ray's").sampled, Some(true));
/// ```
#[derive(Debug)]
pub struct Message<'a, S, A> {
    system: &'a S,
    attributes: &'a A,
}

impl<'a, S: Carrier, A: Carrier> Message<'a, S, A> {
    /// A message with these attributes.
    pub const fn new(system: &'a S, attributes: &'a A) -> Self {
        Self { system, attributes }
    }
}

impl<S: Carrier, A: Carrier> Carrier for Message<'_, S, A> {
    fn get_all<'a>(&'a self, field: &'a HeaderName) -> impl Iterator<Item = &'a [u8]> {
        let is_trace = *field == field::X_AMZN_TRACE_ID;
        let system = is_trace.then(|| self.system.get_all(&TRACE_HEADER_FIELD));
        let mut system = system.into_iter().flatten().peekable();
        let attributes = system.peek().is_none().then(|| self.attributes.get_all(field));
        system.chain(attributes.into_iter().flatten())
    }
}
