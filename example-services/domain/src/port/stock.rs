use std::fmt;

use super::StoreFuture;
use crate::id::{OrderId, ProductId};
use crate::order::Attempt;
use crate::port::messaging::NewEvent;
use crate::stock::{Level, Reservation};

/// Where stock is kept.
///
/// At any time, for every product: 0 <= reserved <= quantity, and reserved is the sum over all
/// reservations that were not sold.
pub trait StockStore: Send + Sync + fmt::Debug + 'static {
    /// How much there is; `None` for a product that was never stocked.
    fn level<'a>(&'a self, id: &'a ProductId) -> StoreFuture<'a, Option<Level>>;

    /// Puts `quantity` pieces on the shelf, unless more are reserved.
    fn set_level<'a>(&'a self, id: &'a ProductId, quantity: u64) -> StoreFuture<'a, SetLevel>;

    /// Puts `quantity` pieces on the shelf if the product was never stocked; says whether it did.
    fn seed<'a>(&'a self, id: &'a ProductId, quantity: u64) -> StoreFuture<'a, bool>;

    /// Reserves all items, or none.
    ///
    /// One that exists for the same attempt is left as it is and returned; one of an earlier attempt
    /// at the same order is given back first.
    fn reserve<'a>(&'a self, reservation: &'a Reservation) -> StoreFuture<'a, Reserved>;

    /// Gives back what is reserved for an attempt, or for an earlier one at the same order, and was
    /// not sold; says whether anything was.
    fn withdraw<'a>(&'a self, attempt: &'a Attempt) -> StoreFuture<'a, bool>;

    /// Gives back what is reserved for an order, or was sold with it; says whether anything was.
    fn release<'a>(&'a self, order: &'a OrderId) -> StoreFuture<'a, bool>;

    /// Takes what is reserved for an order off the shelf, and puts `event` into the outbox once for
    /// each product, with `event_id`, `subject`, `product_id`, and the pieces `before` and `after`
    /// in its detail.
    ///
    /// One that was sold before is left as it is and is [`Sold::Already`].
    fn sell<'a>(&'a self, order: &'a OrderId, event: &'a NewEvent) -> StoreFuture<'a, Sold>;

    /// Adds pieces to the shelf; `None`, and no change, for a product that was never stocked or
    /// when there would be more than [`Level::MAX_QUANTITY`].
    fn restock<'a>(&'a self, id: &'a ProductId, pieces: u64) -> StoreFuture<'a, Option<Level>>;

    /// Keeps what is reserved for an attempt until it is released; says whether anything was.
    fn confirm<'a>(&'a self, attempt: &'a Attempt) -> StoreFuture<'a, bool>;

    /// Up to `limit` attempts whose reservations have run out at `now_ms`, the oldest first.
    fn expired(&self, now_ms: u64, limit: usize) -> StoreFuture<'_, Vec<Attempt>>;
}

/// The outcome of [`StockStore::sell`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sold {
    /// It left the shelf: the products, and what there is now of each.
    Now(Vec<Level>),
    /// It left the shelf before.
    Already,
    /// Nothing is reserved for the order.
    Nothing,
}

/// The outcome of [`StockStore::set_level`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetLevel {
    /// What there is now.
    Set(Level),
    /// Nothing changed: more pieces are reserved than the shelf would hold.
    BelowReserved(Level),
}

/// The outcome of [`StockStore::reserve`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// All of it is kept for the order.
    Kept(Reservation),
    /// Nothing changed: a later attempt at the same order has its reservation.
    Superseded,
    /// Nothing changed: there is too little of this product.
    TooLittle(Level),
    /// Nothing changed: this product was never stocked.
    Unknown(ProductId),
}
