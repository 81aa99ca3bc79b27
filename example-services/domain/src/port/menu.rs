use std::fmt;

use super::StoreFuture;
use crate::id::ProductId;
use crate::menu::{Dish, MenuItem};

/// Where the menu is kept.
///
/// Every write names the version it was made from, so that of two writers who read the same
/// version one is told.
pub trait MenuStore: Send + Sync + fmt::Debug + 'static {
    /// The item, if there is one.
    fn get<'a>(&'a self, id: &'a ProductId) -> StoreFuture<'a, Option<MenuItem>>;

    /// Up to `limit` items by id, those after `after` only.
    fn list<'a>(
        &'a self,
        after: Option<&'a ProductId>,
        limit: usize,
    ) -> StoreFuture<'a, Vec<MenuItem>>;

    /// Stores `dish` as version 1 if there is no item with this id; says whether it did.
    fn add<'a>(&'a self, id: &'a ProductId, dish: &'a Dish) -> StoreFuture<'a, bool>;

    /// Replaces version `version` of the item.
    fn replace<'a>(
        &'a self,
        id: &'a ProductId,
        version: u64,
        dish: &'a Dish,
    ) -> StoreFuture<'a, Written>;

    /// Removes version `version` of the item; what was removed is in [`Written::Done`].
    fn remove<'a>(&'a self, id: &'a ProductId, version: u64) -> StoreFuture<'a, Written>;
}

/// The outcome of a conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It was done; the item as it is now, or was last.
    Done(MenuItem),
    /// Nothing changed: the item has another version by now.
    Changed(MenuItem),
    /// There is no such item.
    Missing,
}
