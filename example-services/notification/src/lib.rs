//! The notification handler: tells customers about their orders.
//!
//! | endpoint | does |
//! |---|---|
//! | `GET /outbox[?order_id=&limit=]` | what was sent, the latest first, addresses masked |
//!
//! Telling goes in two steps, with a topic between them:
//!
//! 1. [`notify`] gets events from `shopfast-notification-queue`, which the topic
//!    `shopfast-order-events` fills by its filter policy. It decides what is told and how, and
//!    publishes a [`Notice`] on the topic `shopfast-notifications` with the attribute `channel`.
//! 2. [`deliver`] gets notices from `shopfast-email-queue`, `shopfast-sms-queue` and
//!    `shopfast-app-queue`, to which that topic hands them by channel. It asks for the address, which
//!    no message carries, and keeps what was sent.
//!
//! Both may see the same message again and again: a customer is told each thing once. A message
//! that cannot be understood, or a customer who cannot be reached, is an error; after three of them
//! the message goes to `shopfast-notification-dlq`.

mod deliver;
mod metrics;
mod template;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::Method;
use obs_core::clock::Clock;
use obs_core::span::CallSpan;
use obs_core::trace::SpanKind;
use serde::{Deserialize, Serialize};
use shop_domain::id::{OrderId, UserId};
use shop_domain::notification::{Channel, Contact, Notification};
use shop_domain::port::messaging::{MessagingError, NewMessage, Topic};
use shop_domain::port::{NotificationStore, StoreError};
use shop_kit::extract::{Json, Query};
use shop_kit::failure::{Failure, refuse_the_rest};
use shop_kit::messaging::addressed;
use shop_kit::observe::about_order;
use shop_kit::upstream::{Upstream, UpstreamError};

pub use deliver::{deliver, mask};
pub use metrics::{Metrics, NOTIFICATIONS_SENT};

/// The most messages of one answer.
const MOST: usize = 500;

/// The service's parts.
#[derive(Clone, Debug)]
pub struct Notifications {
    /// Where messages are kept.
    pub store: Arc<dyn NotificationStore>,
    /// Where notices are published, for those who deliver them.
    pub topic: Arc<dyn Topic>,
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
    /// The topic took no notice.
    Topic(MessagingError),
    /// The address does not take mail.
    Undeliverable,
}

impl fmt::Display for NotifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Store(_) => "the store of messages failed",
            Self::Contact(_) => "the customer's address is not known",
            Self::Topic(_) => "the topic took no notice",
            Self::Undeliverable => "the customer's address does not take mail",
        })
    }
}

impl std::error::Error for NotifyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            Self::Contact(error) => Some(error),
            Self::Topic(error) => Some(error),
            Self::Undeliverable => None,
        }
    }
}

/// What a customer is to be told, on its way to who delivers it. It says how, but not where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The order it is about.
    pub order_id: OrderId,
    /// Who is told.
    pub user_id: UserId,
    /// What is told, such as `order.shipped`; once per order.
    pub template: String,
    /// How.
    pub channel: Channel,
    /// The line above the text.
    pub subject: String,
    /// The text.
    pub body: String,
}

/// Decides what a customer is told about what happened, and how, and publishes it.
///
/// # Errors
/// When it must be tried again.
#[tracing::instrument(name = "notification.notify", skip_all)]
pub async fn notify(notifications: &Notifications, event: &Event) -> Result<(), NotifyError> {
    let Detail { order_id, user_id, .. } = &event.detail;
    about_order(order_id, Some(user_id));
    let channel = contact(notifications, order_id).await?.channel();
    let (subject, body) = template::text(event);
    let notice = Notice {
        order_id: order_id.clone(),
        user_id: user_id.clone(),
        template: template::name(event),
        channel,
        subject,
        body,
    };
    publish(notifications.topic.as_ref(), &notice).await.map_err(NotifyError::Topic)?;
    tracing::info!(channel = channel.as_str(), template = notice.template, "notice published");
    Ok(())
}

/// How often the order service is asked for an address: over 8 s, a quarter of the time for which a
/// queue keeps the message from others.
const ASKS: u32 = 6;

/// The wait before the second time; it doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// Where the customer of an order wants to be told: the order service knows.
///
/// It is waited for, because a message has few attempts, and a service that is started again is no
/// fault of the message.
async fn contact(notifications: &Notifications, order: &OrderId) -> Result<Contact, NotifyError> {
    let path = format!("/orders/{order}/contact");
    let (mut wait, mut asks) = (FIRST_WAIT, 1);
    loop {
        match notifications.order.call(Method::GET, &path, None::<&()>).await {
            Err(error) if error.is_temporary() && asks < ASKS => tokio::time::sleep(wait).await,
            answer => return answer.map_err(NotifyError::Contact),
        }
        (wait, asks) = (wait * 2, asks + 1);
    }
}

async fn publish(topic: &dyn Topic, notice: &Notice) -> Result<(), MessagingError> {
    // A document of texts is always written.
    let body = serde_json::to_string(notice).unwrap_or_default();
    let message = NewMessage::new(body).attribute("channel", notice.channel.as_str());
    let publish = CallSpan::start(format!("{} publish", topic.name()), SpanKind::Producer)
        .attribute("messaging.system", "aws_sns")
        .attribute("messaging.destination.name", topic.name().to_owned())
        .attribute("messaging.operation.type", "send");
    publish.observe(async { topic.publish(&addressed(message)).await }).await.map(drop)
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
