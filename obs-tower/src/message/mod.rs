//! One record of every message: a line, metrics and a consumer span that agree.
//!
//! ```
//! use std::collections::BTreeMap;
//! use obs_core::environment::Environment;
//! use obs_core::output::Output;
//! use obs_core::propagate::message::sqs;
//! use obs_core::telemetry::Telemetry;
//! use obs_tower::message::{MessageInfo, MessageObserver};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # runtime.block_on(async {
//! let (output, captured) = Output::captured();
//! let telemetry =
//!     Telemetry::builder("billing").environment(Environment::empty()).output(output).build()?;
//! let observer = MessageObserver::new(&telemetry, "aws_sqs", "orders")?;
//!
//! // As received: system attributes, attributes.
//! let (system, attributes) = (BTreeMap::<String, String>::new(), BTreeMap::<String, String>::new());
//! let message = sqs::Message::new(&system, &attributes);
//! let info = MessageInfo::new("m-1").attempt(2);
//! observer.observe(&message, info, async { Ok::<_, std::io::Error>(()) }).await?;
//!
//! telemetry.flush(std::time::Duration::from_secs(5));
//! assert!(captured.text().contains(r#""source":"orders","message_id":"m-1","attempt":2"#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The line's message is `message processed`. Its fields: `source`, `message_id`, `attempt` and
//! `age_ms` when known, `outcome`, `duration_ms`, `error_kind`, and what the handler recorded. Its
//! metrics, by service and by source: `Messages`, `MessageFaults`, `MessageLatency`, `MessageAge`.
//! The message continues its sender's trace.

mod batch;
mod observer;

pub use batch::Batch;
pub use observer::{
    MESSAGE_AGE, MESSAGE_FAULTS, MESSAGE_LATENCY, MESSAGES, MessageInfo, MessageObserver, TARGET,
};

pub use crate::work::Watched;
