//! What the shop's services agree on. The files beside this crate are read by the embedded engines
//! and can be handed to AWS: one artefact, two executors.
//!
//! | file | is | read by |
//! |---|---|---|
//! | `queues.json` | queues as SQS's `CreateQueue` takes them | [`Topology`] |
//! | `topics.json` | topics, subscriptions and filter policies of SNS | [`Topology`] |
//! | `bus-rules.json` | event patterns and targets of EventBridge | [`Topology`] |
//! | `streams.json` | streams of Kinesis | [`Topology`] |
//! | `order-workflow.asl.json` | a state machine of Step Functions | the workflow engine |
//! | `order-walk.json` | what an order leaves behind, hop by hop | [`walk`] |
//! | `events/*.schema.json` | the details of each event | [`schema`] |
//!
//! ARNs have `${Region}` and `${Account}` where a deployment puts its own; here only service and
//! name count.

pub mod pattern;
pub mod schema;
pub mod topology;
pub mod walk;

pub use pattern::Pattern;
pub use topology::Topology;
pub use walk::Walk;

/// The order workflow, in the Amazon States Language.
pub const ORDER_WORKFLOW: &str = include_str!("../order-workflow.asl.json");
