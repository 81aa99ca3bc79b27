//! The order service: takes an order from a cart to a promise.
//!
//! | endpoint | does |
//! |---|---|
//! | `POST /orders` `{"user_id","lines"}` or `{"user_id","from_cart":true}` | places an order, 201 |
//! | `GET /orders/{id}` | one accepted order, or 404 |
//! | `GET /orders/{id}/history` | the steps of its life |
//! | `GET /orders?user_id=[&before=&limit=]` | a user's orders, the latest first |
//! | `GET /orders/counts` | how many orders there are in each status |
//! | `POST /stress/morning-rush?scale&duration_ms` | corporate bulk orders, within bounds |
//! | `POST /orders/settle` `{"attempts"}` | (internal) says what became of attempts whose time is up |
//! | `POST /orders/{id}/status` `{"status", …}` | (internal) the next step of an order |
//! | `GET /orders/{id}/contact` | (internal) where its customer wants to be told about it |
//!
//! What happens to an order once it is accepted, `contracts/order-workflow.asl.json` says: its steps
//! come as `POST /orders/{id}/status`. Each step is told on the bus; what comes back from there over
//! `shopfast-order-queue` is what [`project`] makes figures of.
//!
//! An order may name a `card`, an `email` and a `phone`. The card goes to the payment service and is
//! not kept here; address and number are kept, and told to nobody but the notification service.
//!
//! With an `Idempotency-Key` a repeated request gets the order of the first; the same key with
//! another body is refused with 422, and with 409 while the first is still being worked on. A
//! request that failed frees its key; tried again with the same body, it is about the same order, also
//! when the first was cut off in the middle. Each try has a number, under which stock is kept and
//! given back, so that what one left behind cannot touch the next.
//!
//! **What a 201 promises.** The order is on the disk and its stock is kept. Placing goes: claim
//! the order's id; write the order down in status `RESERVING`, with its key; reserve stock under that
//! id; turn `RESERVING` into `PENDING`. That last conditional write is the promise. Everything before
//! it can be undone by the opposite write, and is: by the request itself when a step fails, by
//! [`give_up`] after a crash, and by the inventory service, which asks about every reservation whose
//! time is up.

mod metrics;
mod placing;
mod projector;
mod recovery;
mod request;
mod rush;
mod secret;
mod status;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use obs_core::clock::Clock;
use obs_core::id::IdGenerator;
use serde::{Deserialize, Serialize};
use shop_domain::id::{OrderId, UserId};
use shop_domain::order::{Attempt, Order};
use shop_domain::port::OrderStore;
use shop_kit::announce::Announcer;
use shop_kit::extract::{Body, Json, Path, Query, Tenant};
use shop_kit::failure::{Failure, refuse_the_rest};
use shop_kit::observe::about_order;
use shop_kit::stress::Turns;
use shop_kit::upstream::Upstream;

pub use metrics::{
    Metrics, ORDER_DURATION, ORDER_VALUE, ORDERS_BY_STATUS, ORDERS_CREATED, RESERVATION_FAILURES,
};
pub use projector::{Event, ProjectError, project};
pub use recovery::{give_up, unfinished};

/// The service's parts.
#[derive(Clone, Debug)]
pub struct Orders {
    /// Where orders are kept.
    pub store: Arc<dyn OrderStore>,
    /// The time.
    pub clock: Clock,
    /// Where ids come from.
    pub ids: IdGenerator,
    /// The cart service.
    pub cart: Upstream,
    /// The product service.
    pub product: Upstream,
    /// The inventory service.
    pub inventory: Upstream,
    /// The menu service.
    pub menu: Upstream,
    /// The payment service.
    pub payment: Upstream,
    /// Makes the events that tell of orders.
    pub announcer: Announcer,
    /// What is counted.
    pub metrics: Metrics,
    /// Who may run a stress scenario.
    pub turns: Turns,
}

/// What the events of this service say they come from.
pub const SOURCE: &str = "shopfast.order-service";

/// The service, without the layers around it.
pub fn app(orders: Orders) -> Router {
    let router = Router::new()
        .route("/orders", get(list).post(place))
        .route("/orders/settle", post(settle))
        .route("/orders/counts", get(status::counts))
        .route("/orders/{order_id}", get(show))
        .route("/orders/{order_id}/history", get(status::history))
        .route("/orders/{order_id}/contact", get(status::contact))
        .route("/orders/{order_id}/status", post(status::advance))
        .route("/stress/morning-rush", post(rush::rush));
    refuse_the_rest(router).with_state(orders)
}

async fn place(
    State(orders): State<Orders>,
    Tenant(tenant): Tenant,
    headers: HeaderMap,
    Body(body): Body,
) -> Result<Response, Failure> {
    let wish = request::Wish::parse(tenant, &headers, &body)?;
    let order = placing::place(&orders, wish).await?;
    let mut response = (StatusCode::CREATED, Json(&order)).into_response();
    if let Ok(location) = HeaderValue::try_from(format!("/orders/{}", order.order_id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

async fn show(
    State(orders): State<Orders>,
    Path(id): Path<OrderId>,
) -> Result<Json<Order>, Failure> {
    let order = orders.store.get(&id).await?;
    if let Some(order) = &order {
        about_order(&order.order_id, Some(&order.user_id));
    }
    order.map(Json).ok_or_else(|| Failure::not_found(format!("there is no order {id}")))
}

#[derive(Debug, Deserialize)]
struct Listing {
    user_id: UserId,
    before: Option<OrderId>,
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
struct Page {
    orders: Vec<Order>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<OrderId>,
}

async fn list(
    State(orders): State<Orders>,
    Query(Listing { user_id, before, limit }): Query<Listing>,
) -> Result<Json<Page>, Failure> {
    const MOST: usize = 100;
    let limit = limit.unwrap_or(MOST).clamp(1, MOST);
    let mut page = orders.store.list(&user_id, before.as_ref(), limit + 1).await?;
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map(|order| order.order_id.clone());
    Ok(Json(Page { orders: page, next }))
}

#[derive(Debug, Deserialize)]
struct Question {
    attempts: Vec<Attempt>,
}

#[derive(Debug, Default, Serialize)]
struct Answer {
    accepted: Vec<Attempt>,
    abandoned: Vec<Attempt>,
}

/// Decides about orders whose reservations have run out: one that is still being placed has taken
/// too long, and is given up.
async fn settle(
    State(orders): State<Orders>,
    Json(Question { attempts }): Json<Question>,
) -> Result<Json<Answer>, Failure> {
    let mut answer = Answer::default();
    for attempt in attempts {
        if orders.store.abandon(&attempt).await? {
            answer.abandoned.push(attempt);
        } else {
            answer.accepted.push(attempt);
        }
    }
    Ok(Json(answer))
}
