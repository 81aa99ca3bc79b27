//! Points for loyal customers.

use serde::{Deserialize, Serialize};

use crate::id::{OrderId, UserId};

/// An entry of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accrual {
    /// The order that brought the points; it names the entry.
    pub order_id: OrderId,
    /// Who got them.
    pub user_id: UserId,
    /// How many.
    pub points: u64,
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
}

/// What a customer has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Balance {
    /// Whose it is.
    pub user_id: UserId,
    /// The sum of the customer's entries.
    pub points: u64,
    /// What the points make of the customer.
    pub tier: Tier,
}

/// What points make of a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Fewer than 500 points.
    Bronze,
    /// 500 points and more.
    Silver,
    /// 2,000 points and more.
    Gold,
}

impl Tier {
    /// The tier of so many points.
    #[must_use]
    pub const fn of(points: u64) -> Self {
        match points {
            0..500 => Self::Bronze,
            500..2_000 => Self::Silver,
            _ => Self::Gold,
        }
    }
}
