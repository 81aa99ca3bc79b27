//! Stock.

use serde::{Deserialize, Serialize};

use crate::cart::Item;
use crate::id::ProductId;
use crate::order::Attempt;

/// How much of a product there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// Which product.
    pub product_id: ProductId,
    /// The pieces on the shelf.
    pub quantity: u64,
    /// How many of them are kept for orders; never more than `quantity`.
    pub reserved: u64,
}

impl Level {
    /// The pieces that can still be sold.
    #[must_use]
    pub const fn available(&self) -> u64 {
        self.quantity.saturating_sub(self.reserved)
    }

    /// The most pieces the shelf of one product holds: 10^9.
    pub const MAX_QUANTITY: u64 = 1_000_000_000;
}

/// Stock kept for an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// The order it is kept for, which names the reservation, and the try at it.
    #[serde(flatten)]
    pub attempt: Attempt,
    /// What is kept, each product once.
    pub items: Vec<Item>,
    /// When it runs out, in milliseconds since 1970-01-01T00:00:00Z.
    pub expires_at_ms: u64,
}
