use std::fmt;

use super::StoreFuture;
use crate::id::OrderId;
use crate::notification::Notification;

/// Where messages to customers are kept.
pub trait NotificationStore: Send + Sync + fmt::Debug + 'static {
    /// Keeps `notification` unless its order has one of the same template; says whether it did.
    fn add<'a>(&'a self, notification: &'a Notification) -> StoreFuture<'a, bool>;

    /// Up to `limit` messages, the latest first, of one order only if it is named.
    fn list<'a>(
        &'a self,
        order: Option<&'a OrderId>,
        limit: usize,
    ) -> StoreFuture<'a, Vec<Notification>>;
}
