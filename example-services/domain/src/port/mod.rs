//! The ports: what services ask of their stores, of messaging ([`messaging`]) and of the workflow.
//!
//! Each trait is written so that every method is one conditional write or one read, which SQLite
//! does in a transaction and DynamoDB with a condition expression or `TransactWriteItems`. A
//! method that returns `Ok` has been made durable. Dropping a future leaves open whether its
//! write happens; every write may be repeated without harm.

mod analytics;
mod cache;
mod cart;
mod error;
mod loyalty;
mod menu;
pub mod messaging;
mod notification;
mod order;
mod outbox;
mod payment;
mod product;
mod shipment;
mod stock;
mod time;
mod workflow;

use std::future::Future;
use std::pin::Pin;

pub use analytics::AnalyticsStore;
pub use cache::Cache;
pub use cart::CartStore;
pub use error::{StoreError, StoreErrorKind};
pub use loyalty::LoyaltyStore;
pub use menu::{MenuStore, Written};
pub use notification::NotificationStore;
pub use order::{
    Advanced, Begun, CLAIM_TTL, Change, Claimed, Fingerprint, Key, OrderStore, Placement, Taken,
};
pub use outbox::{Backlog, Outbox, Pending};
pub use payment::PaymentStore;
pub use product::ProductStore;
pub use shipment::ShipmentStore;
pub use stock::{Reserved, SetLevel, Sold, StockStore};
pub use time::{Time, millis};
pub use workflow::{
    Execution, ExecutionStatus, HistoryEvent, MAX_PAYLOAD_BYTES, Start, TaskFailure, Workflow,
};

/// What a method of a port returns.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;
