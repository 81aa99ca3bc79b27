//! The life of an accepted order.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shop_domain::id::OrderId;
use shop_domain::notification::Contact;
use shop_domain::order::{Department, Order, Status, Transition};
use shop_domain::port::messaging::NewEvent;
use shop_domain::port::{Advanced, Change, StoreError};
use shop_kit::announce::Announcer;
use shop_kit::extract::{Json, Path};
use shop_kit::failure::Failure;
use shop_kit::observe::about_order;

use crate::Orders;

/// How often a step is tried again because another one came in between.
const ATTEMPTS: usize = 3;

/// The next step of an order.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Step {
    status: Status,
    reason: Option<String>,
    tracking_id: Option<String>,
    carrier: Option<String>,
}

/// What became of a step.
#[derive(Debug)]
pub(crate) enum Stepped {
    Done(Order),
    /// The order stands there already.
    Already(Order),
    /// From where the order stands, it does not come there.
    Illegal(Status),
    Missing,
    /// Others took steps in between, again and again.
    Contended,
}

/// Takes an order one step further. May be repeated: a step that was taken stays taken.
#[tracing::instrument(name = "order.advance", skip_all)]
pub(crate) async fn step(
    orders: &Orders,
    id: &OrderId,
    step: &Step,
) -> Result<Stepped, StoreError> {
    for _ in 0..ATTEMPTS {
        let Some(order) = orders.store.get(id).await? else { return Ok(Stepped::Missing) };
        if order.status == step.status {
            return Ok(Stepped::Already(order));
        }
        let change = change(orders, &order, step);
        match orders.store.advance(&change).await? {
            Advanced::Done(order) => {
                tracing::info!(
                    from = change.from.as_str(),
                    to = change.to.as_str(),
                    reason = change.reason.as_deref(),
                    "order advanced"
                );
                return Ok(Stepped::Done(order));
            }
            Advanced::Already(order) => return Ok(Stepped::Already(order)),
            // Someone else took a step in between: look again.
            Advanced::Illegal(now) if now.status != order.status => {}
            Advanced::Illegal(now) => return Ok(Stepped::Illegal(now.status)),
            Advanced::Missing => return Ok(Stepped::Missing),
        }
    }
    Ok(Stepped::Contended)
}

/// A step that another service has taken with the order, such as its payment.
pub(crate) async fn advance(
    State(orders): State<Orders>,
    Path(id): Path<OrderId>,
    Json(wanted): Json<Step>,
) -> Result<Json<Order>, Failure> {
    about_order(&id, None);
    match step(&orders, &id, &wanted).await? {
        Stepped::Done(order) | Stepped::Already(order) => {
            about_order(&id, Some(&order.user_id));
            Ok(Json(order))
        }
        Stepped::Illegal(from) => Err(illegal(from, wanted.status)),
        Stepped::Missing => Err(missing(&id)),
        Stepped::Contended => Err(Failure::unavailable("the order is being changed by others")),
    }
}

fn missing(id: &OrderId) -> Failure {
    Failure::not_found(format!("there is no order {id}"))
}

fn illegal(from: Status, to: Status) -> Failure {
    let detail = format!("an order in status {} does not become {}", from.as_str(), to.as_str());
    Failure::conflict(detail).with("status", from.as_str())
}

fn change(orders: &Orders, order: &Order, step: &Step) -> Change {
    let reason = step.reason.as_ref().map(|reason| reason.chars().take(256).collect());
    Change {
        order_id: order.order_id.clone(),
        from: order.status,
        to: step.status,
        reason,
        tracking_id: step.tracking_id.clone(),
        at_ms: orders.clock.wall().unix_millis(),
        event: event(&orders.announcer, order, step),
    }
}

/// `order.shipped` for the last step, `order.updated` for every other.
fn event(announcer: &Announcer, order: &Order, step: &Step) -> NewEvent {
    let id = order.order_id.as_str();
    let mut detail = whose(order);
    if step.status == Status::Shipped {
        let text = |text: &Option<String>| json!(text.as_deref().unwrap_or("unknown"));
        detail.push(("tracking_id", text(&step.tracking_id.clone().or(order.tracking_id.clone()))));
        detail.push(("carrier", text(&step.carrier)));
        return announcer.event("order.shipped", id, detail);
    }
    detail.extend([
        ("old_status", json!(order.status)),
        ("new_status", json!(step.status)),
        ("total_minor", json!(order.total_minor)),
        ("currency", json!(order.currency)),
    ]);
    if let Some(reason) = &step.reason {
        detail.push(("reason", json!(reason.chars().take(256).collect::<String>())));
    }
    announcer.event("order.updated", id, detail)
}

fn whose(order: &Order) -> Vec<(&'static str, Value)> {
    vec![
        ("order_id", json!(order.order_id)),
        ("user_id", json!(order.user_id)),
        ("tenant_id", json!(order.tenant_id)),
    ]
}

/// What tells of an order that is accepted.
pub(crate) fn created(announcer: &Announcer, order: &Order) -> NewEvent {
    let mut detail = whose(order);
    detail.extend([
        ("lines", json!(order.lines)),
        ("total_minor", json!(order.total_minor)),
        ("currency", json!(order.currency)),
        ("department", json!(Department::of_lines(&order.lines))),
    ]);
    announcer.event("order.created", order.order_id.as_str(), detail)
}

/// The steps of an order's life.
#[derive(Debug, Serialize)]
pub(crate) struct History {
    order_id: OrderId,
    history: Vec<Transition>,
}

pub(crate) async fn history(
    State(orders): State<Orders>,
    Path(id): Path<OrderId>,
) -> Result<Json<History>, Failure> {
    let history = orders.store.history(&id).await?;
    if history.is_empty() {
        return Err(missing(&id));
    }
    Ok(Json(History { order_id: id, history }))
}

pub(crate) async fn contact(
    State(orders): State<Orders>,
    Path(id): Path<OrderId>,
) -> Result<Json<Contact>, Failure> {
    Ok(Json(orders.store.contact(&id).await?))
}

pub(crate) async fn counts(State(orders): State<Orders>) -> Result<Json<Value>, Failure> {
    let counts = orders.store.counts().await?;
    let counts =
        counts.into_iter().map(|(status, count)| (status.as_str().to_owned(), count.into()));
    Ok(Json(Value::Object(counts.collect())))
}
