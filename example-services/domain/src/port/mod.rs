//! The ports: what services ask of their stores.
//!
//! Each trait is written so that every method is one conditional write or one read, which SQLite
//! does in a transaction and DynamoDB with a condition expression or `TransactWriteItems`. A
//! method that returns `Ok` has been made durable. Dropping a future leaves open whether its
//! write happens; every write may be repeated without harm.

mod cart;
mod error;
mod order;
mod product;
mod stock;

use std::future::Future;
use std::pin::Pin;

pub use cart::CartStore;
pub use error::{StoreError, StoreErrorKind};
pub use order::{Begun, Fingerprint, Key, OrderStore, Placement};
pub use product::ProductStore;
pub use stock::{Reserved, SetLevel, StockStore};

/// What a method of a port returns.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;
