use std::fmt;

use super::StoreFuture;
use crate::id::ProductId;
use crate::product::Product;

/// Where products are kept.
pub trait ProductStore: Send + Sync + fmt::Debug + 'static {
    /// The product, if there is one.
    fn get<'a>(&'a self, id: &'a ProductId) -> StoreFuture<'a, Option<Product>>;

    /// Up to `limit` products by id, those after `after` only.
    fn list<'a>(
        &'a self,
        after: Option<&'a ProductId>,
        limit: usize,
    ) -> StoreFuture<'a, Vec<Product>>;

    /// Stores `product` if there is none with its id; says whether it did.
    fn add<'a>(&'a self, product: &'a Product) -> StoreFuture<'a, bool>;
}
