//! Products.

use serde::{Deserialize, Serialize};

use crate::id::ProductId;
use crate::money::{Currency, Money};

/// A product on offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Product {
    /// Its id.
    pub product_id: ProductId,
    /// Its name.
    pub name: String,
    /// The price of one piece, in minor units of `currency`.
    pub price_minor: u64,
    /// The currency of the price.
    pub currency: Currency,
}

impl Product {
    /// The price of one piece.
    #[must_use]
    pub const fn price(&self) -> Money {
        Money::new(self.price_minor, self.currency)
    }
}
