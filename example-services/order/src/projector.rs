//! What the events about orders come to together: figures of how far orders are, and the end of
//! each.
//!
//! `shopfast-order-queue` stands between the bus and this, so that a rush of orders waits there
//! rather than in the way of customers.

use std::error::Error;
use std::fmt;

use serde::Deserialize;
use shop_domain::id::OrderId;
use shop_domain::order::Status;
use shop_domain::port::StoreError;
use shop_kit::observe::about_order;

use crate::Orders;

/// An event about an order, as the bus delivers it.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    /// What happened.
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// What is known about it.
    pub detail: Detail,
}

/// What an event about an order tells.
#[derive(Clone, Debug, Deserialize)]
pub struct Detail {
    /// Which.
    pub order_id: OrderId,
    /// Where it stands since, if that is what the event is about.
    pub new_status: Option<Status>,
}

impl Event {
    /// Where the order stands since.
    fn status(&self) -> Option<Status> {
        match self.detail_type.as_str() {
            "order.created" => Some(Status::Pending),
            "order.shipped" => Some(Status::Shipped),
            _ => self.detail.new_status,
        }
    }
}

/// Why an event was not worked in; it has to be tried again.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProjectError {
    /// The store of orders failed.
    Store(StoreError),
    /// There is no such order.
    Unknown(OrderId),
}

impl fmt::Display for ProjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(_) => f.write_str("the store of orders failed"),
            Self::Unknown(id) => write!(f, "there is no order {id}"),
        }
    }
}

impl Error for ProjectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::Unknown(_) => None,
        }
    }
}

impl From<StoreError> for ProjectError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Works an event in. An event that comes twice is told twice, and changes no order.
///
/// # Errors
/// When it has to be tried again.
#[tracing::instrument(name = "order.project", skip_all)]
pub async fn project(orders: &Orders, event: &Event) -> Result<(), ProjectError> {
    let id = &event.detail.order_id;
    let order = orders.store.get(id).await?.ok_or_else(|| ProjectError::Unknown(id.clone()))?;
    about_order(&order.order_id, Some(&order.user_id));
    let Some(status) = event.status().filter(|status| status.is_final()) else { return Ok(()) };
    let history = orders.store.history(id).await?;
    let ended_at_ms = history.last().map_or(order.created_at_ms, |last| last.at_ms);
    let total_ms = ended_at_ms.saturating_sub(order.created_at_ms);
    orders.metrics.completed(status, total_ms);
    orders.metrics.counts(&orders.store.counts().await?);
    tracing::info!(status = status.as_str(), total_ms, "order completed");
    Ok(())
}
