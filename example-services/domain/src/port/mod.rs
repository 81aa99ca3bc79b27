//! The ports: what services ask of their stores, of messaging ([`messaging`]) and of the workflow.
//!
//! Each trait is written so that every method is one conditional write or one read, which SQLite
//! does in a transaction and DynamoDB with a condition expression or `TransactWriteItems`. A
//! method that returns `Ok` has been made durable. Dropping a future leaves open whether its
//! write happens; every write may be repeated without harm.

mod cache;
mod cart;
mod error;
mod menu;
pub mod messaging;
mod order;
mod outbox;
mod product;
mod stock;
mod time;
mod workflow;

use std::future::Future;
use std::pin::Pin;

pub use cache::Cache;
pub use cart::CartStore;
pub use error::{StoreError, StoreErrorKind};
pub use menu::{MenuStore, Written};
pub use order::{Begun, Fingerprint, Key, OrderStore, Placement};
pub use outbox::{Backlog, Outbox, Pending};
pub use product::ProductStore;
pub use stock::{Reserved, SetLevel, StockStore};
pub use time::{Time, millis};
pub use workflow::{
    Execution, ExecutionStatus, HistoryEvent, MAX_PAYLOAD_BYTES, Start, TaskFailure, Workflow,
};

/// What a method of a port returns.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;
