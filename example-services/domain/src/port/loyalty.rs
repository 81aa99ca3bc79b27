use std::fmt;

use super::StoreFuture;
use crate::id::UserId;
use crate::loyalty::{Accrual, Balance};

/// Where points are kept: a ledger with one entry per order, and balances that follow from it.
pub trait LoyaltyStore: Send + Sync + fmt::Debug + 'static {
    /// Adds an entry unless its order has one, and its points to the balance; says whether it did.
    fn accrue<'a>(&'a self, accrual: &'a Accrual) -> StoreFuture<'a, bool>;

    /// What a customer has; nothing, if never heard of.
    fn balance<'a>(&'a self, user: &'a UserId) -> StoreFuture<'a, Balance>;

    /// The entries of a customer, the latest first.
    fn entries<'a>(&'a self, user: &'a UserId, limit: usize) -> StoreFuture<'a, Vec<Accrual>>;

    /// Sums up the whole ledger anew; says how many balances there are, and how many of them were
    /// wrong.
    fn recalculate(&self) -> StoreFuture<'_, (u64, u64)>;
}
