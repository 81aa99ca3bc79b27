use std::fmt;

use super::StoreFuture;
use crate::cart::{Cart, Item};
use crate::id::UserId;

/// Where carts are kept.
pub trait CartStore: Send + Sync + fmt::Debug + 'static {
    /// Adds to what the cart already holds of the product, atomically; `None`, and no change,
    /// when the cart would hold more than [`Quantity::MAX`](crate::quantity::Quantity::MAX) of it
    /// or more than [`MAX_ITEMS`](crate::cart::MAX_ITEMS) products.
    fn add<'a>(&'a self, user: &'a UserId, item: &'a Item) -> StoreFuture<'a, Option<Cart>>;

    /// The cart; one that was never filled is empty.
    fn get<'a>(&'a self, user: &'a UserId) -> StoreFuture<'a, Cart>;

    /// Empties the cart.
    fn clear<'a>(&'a self, user: &'a UserId) -> StoreFuture<'a, ()>;
}
