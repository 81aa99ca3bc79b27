//! The notification handler: tells customers about their orders.
//!
//! | endpoint | does |
//! |---|---|
//! | `GET /outbox[?order_id=&limit=]` | what was sent, the latest first, addresses masked |
//!
//! What it is for comes through the queue `shopfast-notification-queue`, which the topic
//! `shopfast-order-events` fills by its filter policy: [`notify`] is what is done for each message
//! there, however often it is delivered. A message that cannot be understood, or a customer who
//! cannot be reached, is an error; after three of them the message goes to
//! `shopfast-notification-dlq`.

mod metrics;
mod template;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::Method;
use obs_core::clock::Clock;
use serde::{Deserialize, Serialize};
use shop_domain::id::{OrderId, UserId};
use shop_domain::notification::Notification;
use shop_domain::port::{NotificationStore, StoreError};
use shop_kit::extract::{Json, Query};
use shop_kit::failure::{Failure, refuse_the_rest};
use shop_kit::observe::about_order;
use shop_kit::upstream::{Upstream, UpstreamError};

pub use metrics::{Metrics, NOTIFICATIONS_SENT};
pub use template::mask;

/// The most messages of one answer.
const MOST: usize = 500;

/// The service's parts.
#[derive(Clone, Debug)]
pub struct Notifications {
    /// Where messages are kept.
    pub store: Arc<dyn NotificationStore>,
    /// The order service, which knows addresses.
    pub order: Upstream,
    /// The time.
    pub clock: Clock,
    /// What is counted.
    pub metrics: Metrics,
}

/// The service, without the layers around it.
pub fn app(notifications: Notifications) -> Router {
    refuse_the_rest(Router::new().route("/outbox", get(outbox))).with_state(notifications)
}

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
    /// The order.
    pub order_id: OrderId,
    /// Whose it is.
    pub user_id: UserId,
    /// Where it stands now, if that is what the event is about.
    pub new_status: Option<String>,
    /// Under what the carrier knows its parcel.
    pub tracking_id: Option<String>,
    /// Who carries it.
    pub carrier: Option<String>,
    /// Why it came to nothing.
    pub reason: Option<String>,
}

/// Why a customer could not be told.
#[derive(Debug)]
#[non_exhaustive]
pub enum NotifyError {
    /// The store failed.
    Store(StoreError),
    /// The address could not be asked for.
    Contact(UpstreamError),
    /// The address does not take mail.
    Undeliverable,
}

impl fmt::Display for NotifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Store(_) => "the store of messages failed",
            Self::Contact(_) => "the customer's address is not known",
            Self::Undeliverable => "the customer's address does not take mail",
        })
    }
}

impl std::error::Error for NotifyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::Contact(error) => Some(error),
            Self::Undeliverable => None,
        }
    }
}

#[derive(Deserialize)]
struct Contact {
    email: Option<String>,
}

/// Tells a customer what happened, once for each kind of event; says whether it did.
///
/// # Errors
/// When it must be tried again.
#[tracing::instrument(name = "notification.notify", skip_all)]
pub async fn notify(notifications: &Notifications, event: &Event) -> Result<bool, NotifyError> {
    let Detail { order_id, user_id, .. } = &event.detail;
    about_order(order_id, Some(user_id));
    let path = format!("/orders/{order_id}/contact");
    let contact = notifications.order.call(Method::GET, &path, None::<&()>).await;
    let Contact { email } = contact.map_err(NotifyError::Contact)?;
    let (channel, to) = match &email {
        Some(address) => ("email", deliver(address)?),
        None => ("app", user_id.to_string()),
    };
    let (subject, body) = template::text(event);
    let notification = Notification {
        order_id: order_id.clone(),
        user_id: user_id.clone(),
        template: template::name(event),
        channel: channel.to_owned(),
        to,
        subject,
        body,
        at_ms: notifications.clock.wall().unix_millis(),
    };
    let new = notifications.store.add(&notification).await.map_err(NotifyError::Store)?;
    if new {
        notifications.metrics.sent(channel);
    }
    tracing::info!(channel, to = notification.to, repeated = !new, "customer notified");
    Ok(new)
}

/// Hands mail for `address` over to whoever carries it, and tells the masked address.
///
/// Nobody carries it here; addresses under `.invalid`, which
/// [nobody can have](https://www.rfc-editor.org/rfc/rfc2606#section-2), come back.
fn deliver(address: &str) -> Result<String, NotifyError> {
    if address.to_ascii_lowercase().ends_with(".invalid") {
        return Err(NotifyError::Undeliverable);
    }
    Ok(mask(address))
}

#[derive(Debug, Deserialize)]
struct Listing {
    order_id: Option<OrderId>,
    limit: Option<usize>,
}

#[derive(Serialize)]
struct Sent {
    notifications: Vec<Notification>,
}

async fn outbox(
    State(notifications): State<Notifications>,
    Query(Listing { order_id, limit }): Query<Listing>,
) -> Result<Json<Sent>, Failure> {
    let limit = limit.unwrap_or(100).clamp(1, MOST);
    let sent = notifications.store.list(order_id.as_ref(), limit).await?;
    Ok(Json(Sent { notifications: sent }))
}
