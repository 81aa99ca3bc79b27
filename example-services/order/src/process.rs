//! What becomes of an accepted order: paid, then taken from the shelf, then handed to a carrier;
//! or given up, its stock free again.
//!
//! Every step may be repeated, because messages come at least once: a step that was taken is passed
//! over.

use std::error::Error;
use std::fmt;

use http::{Method, StatusCode};
use obs_core::context::RequestContext;
use obs_core::propagate::TrustPolicy;
use obs_core::propagate::message::MessageFields;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shop_domain::id::{OrderId, UserId};
use shop_domain::order::{Order, Status};
use shop_domain::port::StoreError;
use shop_domain::port::messaging::{
    MAX_ATTRIBUTES, MessagingError, NewMessage, Queue, TRACE_HEADER,
};
use shop_kit::observe::about_order;
use shop_kit::upstream::{UpstreamError, UpstreamErrorKind};

use crate::Orders;
use crate::placing::release;
use crate::status::{self, Step, Stepped};

/// Why a step was not taken; it has to be tried again.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProcessError {
    /// The store of orders failed.
    Store(StoreError),
    /// Another service failed.
    Upstream(UpstreamError),
    /// The queue failed.
    Messaging(MessagingError),
    /// There is no such order.
    Unknown(OrderId),
    /// The order is being changed by others.
    Contended,
}

impl fmt::Display for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(_) => f.write_str("the store of orders failed"),
            Self::Upstream(_) => f.write_str("another service failed"),
            Self::Messaging(_) => f.write_str("the queue failed"),
            Self::Unknown(id) => write!(f, "there is no order {id}"),
            Self::Contended => f.write_str("the order is being changed by others"),
        }
    }
}

impl Error for ProcessError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::Upstream(error) => Some(error),
            Self::Messaging(error) => Some(error),
            _ => None,
        }
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident),+) => {$(
        impl From<$type> for ProcessError {
            fn from(error: $type) -> Self {
                Self::$variant(error)
            }
        }
    )+};
}

from!(StoreError => Store, UpstreamError => Upstream, MessagingError => Messaging);

/// An order whose life begins or goes on.
#[derive(Clone, Debug, Deserialize)]
pub struct Concerning {
    /// Which.
    pub order_id: OrderId,
    /// Where it stands now; an order that was just accepted stands nowhere else yet.
    pub new_status: Option<Status>,
}

/// Asks for the payment of an order that was accepted.
///
/// # Errors
/// When it has to be tried again.
#[tracing::instrument(name = "order.ask_for_payment", skip_all)]
pub async fn ask_for_payment(
    orders: &Orders,
    payments: &dyn Queue,
    concerning: &Concerning,
) -> Result<(), ProcessError> {
    let order = match status::step(orders, &concerning.order_id, &Step::to(Status::PaymentPending))
        .await?
    {
        Stepped::Done(order) | Stepped::Already(order) => order,
        // It is further on: it was asked for.
        Stepped::Illegal(_) => return Ok(()),
        Stepped::Missing => return Err(ProcessError::Unknown(concerning.order_id.clone())),
        Stepped::Contended => return Err(ProcessError::Contended),
    };
    about_order(&order.order_id, Some(&order.user_id));
    payments.send(&demand(&order)).await?;
    Ok(())
}

#[derive(Serialize)]
struct Demand<'a> {
    order_id: &'a OrderId,
    user_id: &'a UserId,
    total_minor: u64,
    currency: &'a str,
}

/// The message to the payment processor: one per order, however often it is sent.
fn demand(order: &Order) -> NewMessage {
    let currency = order.currency;
    let demand = Demand {
        order_id: &order.order_id,
        user_id: &order.user_id,
        total_minor: order.total_minor,
        currency: currency.as_str(),
    };
    let id = order.order_id.as_str();
    let mut message = NewMessage::new(json!(demand).to_string()).fifo(id, id);
    let mut fields = MessageFields::default();
    RequestContext::with_current(|context| context.inject(&mut fields, &TrustPolicy::message()));
    if let Some(header) = fields.trace_header() {
        message.system_attributes.insert(TRACE_HEADER.to_owned(), header.to_owned());
    }
    for (name, value) in fields.attributes(MAX_ATTRIBUTES) {
        message = message.attribute(name, value);
    }
    message
}

/// Does what follows from the status that an order has come to.
///
/// # Errors
/// When it has to be tried again.
#[tracing::instrument(name = "order.go_on", skip_all)]
pub async fn go_on(orders: &Orders, concerning: &Concerning) -> Result<(), ProcessError> {
    let id = &concerning.order_id;
    let order = orders.store.get(id).await?.ok_or_else(|| ProcessError::Unknown(id.clone()))?;
    about_order(&order.order_id, Some(&order.user_id));
    match concerning.new_status {
        Some(Status::Paid) => take_from_shelf(orders, &order).await,
        Some(Status::Shipping) => hand_over(orders, &order).await,
        Some(Status::PaymentFailed | Status::RejectedStock | Status::Cancelled) => {
            give_back(orders, id).await
        }
        _ => Ok(()),
    }
}

/// A step whose repetition, or whose lateness, is no error.
async fn step(orders: &Orders, id: &OrderId, step: Step) -> Result<(), ProcessError> {
    match status::step(orders, id, &step).await? {
        Stepped::Done(_) | Stepped::Already(_) | Stepped::Illegal(_) => Ok(()),
        Stepped::Missing => Err(ProcessError::Unknown(id.clone())),
        Stepped::Contended => Err(ProcessError::Contended),
    }
}

#[derive(Serialize)]
struct Confirm<'a> {
    order_id: &'a OrderId,
}

#[derive(Deserialize)]
struct Confirmed {}

#[tracing::instrument(name = "order.take_from_shelf", skip_all)]
async fn take_from_shelf(orders: &Orders, order: &Order) -> Result<(), ProcessError> {
    if order.status != Status::Paid {
        return Ok(());
    }
    let id = &order.order_id;
    let confirm = Confirm { order_id: id };
    let confirmed =
        orders.inventory.call::<Confirmed>(Method::POST, "/inventory/confirm", Some(&confirm));
    match confirmed.await {
        Ok(Confirmed {}) => step(orders, id, Step::to(Status::Shipping)).await,
        Err(error) if is_conflict(&error) => {
            let rejected = Step::to(Status::RejectedStock).because("its stock was gone");
            step(orders, id, rejected).await
        }
        Err(error) => Err(error.into()),
    }
}

fn is_conflict(error: &UpstreamError) -> bool {
    matches!(error.kind(), UpstreamErrorKind::Refused(StatusCode::CONFLICT, _))
}

#[derive(Serialize)]
struct Parcel<'a> {
    order_id: &'a OrderId,
    user_id: &'a UserId,
}

#[derive(Deserialize)]
struct HandedOver {
    tracking_id: String,
    carrier: String,
}

#[tracing::instrument(name = "order.hand_over", skip_all)]
async fn hand_over(orders: &Orders, order: &Order) -> Result<(), ProcessError> {
    if order.status != Status::Shipping {
        return Ok(());
    }
    let parcel = Parcel { order_id: &order.order_id, user_id: &order.user_id };
    let HandedOver { tracking_id, carrier } =
        orders.shipping.call(Method::POST, "/shipments", Some(&parcel)).await?;
    step(orders, &order.order_id, Step::to(Status::Shipped).with_parcel(tracking_id, carrier)).await
}

#[tracing::instrument(name = "order.give_back", skip_all)]
async fn give_back(orders: &Orders, id: &OrderId) -> Result<(), ProcessError> {
    release(orders, id).await.map_err(Into::into)
}
