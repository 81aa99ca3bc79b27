//! Carts.

use serde::{Deserialize, Serialize};

use crate::id::{ProductId, UserId};
use crate::quantity::Quantity;

/// One product in a cart, or one line asked for in an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Which product.
    pub product_id: ProductId,
    /// How many pieces.
    pub quantity: Quantity,
}

/// What a customer has put aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cart {
    /// Whose cart it is.
    pub user_id: UserId,
    /// Each product once, by id.
    pub items: Vec<Item>,
}

/// The most different products one cart or order may hold: 100, the most items of one DynamoDB
/// transaction.
pub const MAX_ITEMS: usize = 100;
