//! Shipments.

use serde::{Deserialize, Serialize};

use crate::id::{OrderId, UserId};

/// A parcel handed to a carrier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shipment {
    /// The order it belongs to.
    pub order_id: OrderId,
    /// Who gets it.
    pub user_id: UserId,
    /// Who carries it.
    pub carrier: String,
    /// Under what the carrier knows it.
    pub tracking_id: String,
    /// When it was handed over, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
}
