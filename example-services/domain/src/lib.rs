//! What the shop is about, without any input or output: ids, money, orders and stock, and the
//! ports through which services reach their stores.
//!
//! | module | holds |
//! |---|---|
//! | [`id`] | ids as types, checked when they are read |
//! | [`money`] | amounts in integer minor units |
//! | [`quantity`] | how many of a product |
//! | [`product`], [`menu`], [`cart`], [`order`], [`stock`] | the documents services exchange |
//! | [`port`] | traits of the stores, written for conditional writes |
//! | `conformance` | (feature `conformance`) what each implementation of a port must pass |

pub mod cart;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod id;
pub mod menu;
pub mod money;
pub mod order;
pub mod port;
pub mod product;
pub mod quantity;
pub mod stock;
