//! What every implementation of a port must pass.
//!
//! Each function checks one clause of a port's contract on an empty store and panics where it does
//! not hold. An implementation calls all of them from its own tests.

pub mod analytics;
pub mod buses;
pub mod cache;
pub mod carts;
pub mod fifo_queues;
pub mod loyalty;
pub mod menu;
pub mod notifications;
pub mod orders;
pub mod outboxes;
pub mod payments;
pub mod products;
pub mod queues;
pub mod shipments;
pub mod stock;
pub mod streams;
pub mod time;
pub mod topics;

use crate::cart::Item;
use crate::id::{OrderId, ProductId, UserId};
use crate::quantity::Quantity;

fn product(id: &str) -> ProductId {
    ProductId::parse(id).expect("an id of the suite")
}

fn order_id(id: &str) -> OrderId {
    OrderId::parse(id).expect("an id of the suite")
}

fn user(id: &str) -> UserId {
    UserId::parse(id).expect("an id of the suite")
}

fn item(id: &str, pieces: i64) -> Item {
    let quantity = Quantity::new(pieces).expect("a quantity of the suite");
    Item { product_id: product(id), quantity }
}
