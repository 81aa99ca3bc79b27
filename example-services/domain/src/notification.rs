//! What customers are told.

use serde::{Deserialize, Serialize};

use crate::id::{OrderId, UserId};

/// A message to a customer, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// The order it is about.
    pub order_id: OrderId,
    /// Who is told.
    pub user_id: UserId,
    /// What is told, such as `order.shipped`; once per order.
    pub template: String,
    /// `email`, or `app` for a customer who left no address.
    pub channel: String,
    /// The address, masked.
    pub to: String,
    /// The line above the text.
    pub subject: String,
    /// The text.
    pub body: String,
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
}
