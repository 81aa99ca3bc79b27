use std::fmt;

use super::StoreFuture;
use crate::id::OrderId;
use crate::shipment::Shipment;

/// Where shipments are kept: one per order.
pub trait ShipmentStore: Send + Sync + fmt::Debug + 'static {
    /// Stores `shipment` unless its order has one; returns the one it has.
    fn add<'a>(&'a self, shipment: &'a Shipment) -> StoreFuture<'a, Shipment>;

    /// The shipment of an order.
    fn get<'a>(&'a self, order: &'a OrderId) -> StoreFuture<'a, Option<Shipment>>;
}
