//! What the shop is about, without any input or output: ids, money, orders and stock, and the
//! ports through which services reach their stores.
//!
//! | module | holds |
//! |---|---|
//! | [`id`] | ids as types, checked when they are read |
//! | [`money`] | amounts in integer minor units |
//! | [`quantity`] | how many of a product |
//! | [`product`], [`menu`], [`cart`], [`order`], [`stock`], [`payment`], [`shipment`], [`loyalty`], [`notification`], [`analytics`] | the documents services exchange |
//! | [`port`] | traits of the stores, written for conditional writes |
//! | `conformance` | (feature `conformance`) what each implementation of a port must pass |

pub mod analytics;
pub mod cart;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod id;
pub mod loyalty;
pub mod menu;
pub mod money;
pub mod notification;
pub mod order;
pub mod payment;
pub mod port;
pub mod product;
pub mod quantity;
pub mod shipment;
pub mod stock;
