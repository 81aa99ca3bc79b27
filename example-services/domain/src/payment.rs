//! Payments.

use serde::{Deserialize, Serialize};

use crate::id::{OrderId, UserId};
use crate::money::Currency;

/// How an order is paid, as far as anyone but the provider may know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Method {
    /// The brand of the card, such as `visa`.
    pub brand: String,
    /// The last four digits of its number.
    pub last4: String,
}

/// How an attempt to charge ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The money is on its way.
    Approved,
    /// The provider declined.
    Declined,
    /// Not even tried: it looks like fraud.
    Suspected,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Approved, Self::Declined, Self::Suspected];

    /// The name in documents and tables, and as a dimension.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Declined => "declined",
            Self::Suspected => "suspected",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == name)
    }
}

/// An entry of the transaction log. Every outcome ends the payment of its order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transaction {
    /// Its id.
    pub transaction_id: String,
    /// The order it pays.
    pub order_id: OrderId,
    /// Who pays.
    pub user_id: UserId,
    /// How much, in minor units of `currency`.
    pub amount_minor: u64,
    /// The currency.
    pub currency: Currency,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, if it was not approved.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// How much it looks like fraud: 0 to 100.
    pub fraud_score: u8,
    /// How it was paid, if not on account.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub method: Option<Method>,
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
}
