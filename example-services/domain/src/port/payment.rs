use std::fmt;

use super::StoreFuture;
use crate::id::OrderId;
use crate::payment::{Method, Transaction};

/// Where payments are kept: an append-only log, with one approval per order at most.
pub trait PaymentStore: Send + Sync + fmt::Debug + 'static {
    /// Notes how an order is paid; a method that is noted already stays.
    fn set_method<'a>(&'a self, order: &'a OrderId, method: &'a Method) -> StoreFuture<'a, ()>;

    /// How an order is paid; `None` for on account.
    fn method<'a>(&'a self, order: &'a OrderId) -> StoreFuture<'a, Option<Method>>;

    /// Appends `transaction` unless there is one that ends the payment of its order; that one is
    /// returned then.
    fn append<'a>(&'a self, transaction: &'a Transaction) -> StoreFuture<'a, Transaction>;

    /// The transactions of an order, the first first.
    fn by_order<'a>(&'a self, order: &'a OrderId) -> StoreFuture<'a, Vec<Transaction>>;
}
