//! The inventory service: what is on the shelf, and for whom it is kept.
//!
//! | endpoint | does |
//! |---|---|
//! | `GET /inventory/{product_id}` | `{"product_id","quantity","reserved","available"}`, or 404 |
//! | `PUT /inventory/{product_id}` `{"quantity"}` | fills the shelf; 409 below what is reserved |
//! | `POST /inventory/reserve` `{"order_id","attempt","lines"}` | keeps all lines for the order, or none (409) |
//! | `POST /inventory/confirm` `{"order_id"}` | what is kept for the order leaves the shelf; 409 if nothing is |
//! | `POST /inventory/release` `{"order_id","attempt"}` | gives back what is kept for the order; without `attempt` also what left with it |
//! | `POST /inventory/restock` `{"lines"}` | adds pieces to the shelf |
//! | `POST /stress/restock?scale&duration_ms` | the restock storm, within bounds |
//!
//! `quantity` is what is on the shelf, `reserved` how much of it is kept for orders. `attempt`, 1 if it
//! is left out of a reservation, is the number of the try at placing the order: a later one takes the
//! place of an earlier one, which can then neither reserve nor release any more.
//!
//! A reservation runs out unless the order it was made for is accepted: [`settle`] asks the order
//! service about each one whose time has come, and gives back or keeps what it holds accordingly.
//! While the order service cannot be reached nothing is given back, so stock that was promised is
//! never sold twice.

mod restock;
mod settle;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use obs_core::clock::Clock;
use obs_core::span::CallSpan;
use serde::{Deserialize, Serialize};
use shop_domain::cart::{Item, MAX_ITEMS};
use shop_domain::id::{OrderId, ProductId};
use shop_domain::order::Attempt;
use shop_domain::port::{Reserved, SetLevel, Sold, StockStore};
use shop_domain::stock::{Level, Reservation};
use shop_kit::announce::Announcer;
use shop_kit::extract::{Json, Path};
use shop_kit::failure::{Failure, refuse_the_rest};
use shop_kit::observe::about_order;
use shop_kit::stress::Turns;

pub use settle::{Settled, settle};

/// The service's parts.
#[derive(Clone, Debug)]
pub struct Inventory {
    /// Where stock is kept.
    pub store: Arc<dyn StockStore>,
    /// The time.
    pub clock: Clock,
    /// How long a reservation holds without its order being accepted.
    pub reservation_ttl: Duration,
    /// Makes the events that tell of the stock.
    pub announcer: Announcer,
    /// Who may run a stress scenario.
    pub turns: Turns,
}

/// What the events of this service say they come from.
pub const SOURCE: &str = "shopfast.inventory-service";

/// The service, without the layers around it.
pub fn app(inventory: Inventory) -> Router {
    let router = Router::new()
        .route("/inventory/reserve", post(reserve))
        .route("/inventory/release", post(release))
        .route("/inventory/confirm", post(confirm))
        .route("/inventory/restock", post(restock::restock))
        .route("/stress/restock", post(restock::storm))
        .route("/inventory/{product_id}", get(show).put(fill));
    refuse_the_rest(router).with_state(inventory)
}

#[derive(Debug, Serialize)]
struct LevelView {
    #[serde(flatten)]
    level: Level,
    available: u64,
}

impl From<Level> for LevelView {
    fn from(level: Level) -> Self {
        Self { available: level.available(), level }
    }
}

async fn show(
    State(inventory): State<Inventory>,
    Path(id): Path<ProductId>,
) -> Result<Json<LevelView>, Failure> {
    let level = inventory.store.level(&id).await?;
    let level = level.ok_or_else(|| Failure::not_found(format!("{id} was never stocked")))?;
    Ok(Json(level.into()))
}

#[derive(Debug, Deserialize)]
struct Filling {
    quantity: u64,
}

async fn fill(
    State(inventory): State<Inventory>,
    Path(id): Path<ProductId>,
    Json(Filling { quantity }): Json<Filling>,
) -> Result<Json<LevelView>, Failure> {
    if quantity > Level::MAX_QUANTITY {
        let detail = format!("quantity must be from 0 to {}", Level::MAX_QUANTITY);
        return Err(Failure::unprocessable(detail));
    }
    match inventory.store.set_level(&id, quantity).await? {
        SetLevel::Set(level) => Ok(Json(level.into())),
        SetLevel::BelowReserved(level) => {
            let detail = format!("{} of {id} are reserved", level.reserved);
            Err(Failure::conflict(detail).with("reserved", level.reserved))
        }
    }
}

#[derive(Debug, Deserialize)]
struct Wanted {
    order_id: OrderId,
    attempt: Option<u32>,
    lines: Vec<Item>,
}

#[derive(Debug, Serialize)]
struct ReservationView {
    #[serde(flatten)]
    attempt: Attempt,
    lines: Vec<Item>,
    /// When it runs out, in milliseconds since 1970; absent once it is confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at_ms: Option<u64>,
}

async fn reserve(
    State(inventory): State<Inventory>,
    Json(Wanted { order_id, attempt, lines }): Json<Wanted>,
) -> Result<Json<ReservationView>, Failure> {
    let distinct = lines.iter().enumerate().all(|(number, line)| {
        lines[..number].iter().all(|earlier| earlier.product_id != line.product_id)
    });
    if lines.is_empty() || lines.len() > MAX_ITEMS || !distinct {
        let detail = format!("lines must name 1 to {MAX_ITEMS} products, each once");
        return Err(Failure::unprocessable(detail));
    }
    about_order(&order_id, None);
    let first = Attempt::first(order_id);
    let attempt = Attempt { number: attempt.unwrap_or(first.number), ..first };
    let expires_at = inventory.clock.wall().saturating_add(inventory.reservation_ttl);
    let wanted = Reservation { attempt, items: lines, expires_at_ms: expires_at.unix_millis() };
    let kept = keep(&inventory, &wanted).await?;
    Ok(Json(ReservationView {
        attempt: kept.attempt,
        lines: kept.items,
        expires_at_ms: Some(kept.expires_at_ms).filter(|at| *at != u64::MAX),
    }))
}

#[tracing::instrument(name = "stock.reserve", skip_all)]
async fn keep(inventory: &Inventory, wanted: &Reservation) -> Result<Reservation, Failure> {
    let reserve = inventory.store.reserve(wanted);
    match CallSpan::database("sqlite", "UPDATE", "stock").observe(reserve).await? {
        Reserved::Kept(reservation) => Ok(reservation),
        Reserved::Superseded => Err(Failure::unavailable("a later attempt has taken its place")),
        Reserved::TooLittle(level) => {
            let (id, available) = (level.product_id.clone(), level.available());
            Err(Failure::conflict(format!("{id} has {available} left"))
                .with("product_id", id.as_str())
                .with("available", available))
        }
        Reserved::Unknown(id) => Err(Failure::unprocessable(format!("{id} was never stocked"))
            .with("product_id", id.as_str())),
    }
}

#[derive(Debug, Deserialize)]
struct Release {
    order_id: OrderId,
    attempt: Option<u32>,
}

#[derive(Debug, Serialize)]
struct Released {
    order_id: OrderId,
    released: bool,
}

async fn release(
    State(inventory): State<Inventory>,
    Json(Release { order_id, attempt }): Json<Release>,
) -> Result<Json<Released>, Failure> {
    about_order(&order_id, None);
    let released = match attempt {
        Some(number) => {
            let attempt = Attempt { order_id: order_id.clone(), number };
            inventory.store.withdraw(&attempt).await?
        }
        None => inventory.store.release(&order_id).await?,
    };
    Ok(Json(Released { order_id, released }))
}

#[derive(Debug, Deserialize)]
struct Confirm {
    order_id: OrderId,
}

#[derive(Debug, Serialize)]
struct Confirmed {
    order_id: OrderId,
}

/// What was reserved leaves the shelf, because the order is paid. May be repeated.
#[tracing::instrument(name = "stock.sell", skip_all)]
async fn confirm(
    State(inventory): State<Inventory>,
    Json(Confirm { order_id }): Json<Confirm>,
) -> Result<Json<Confirmed>, Failure> {
    about_order(&order_id, None);
    let detail = [("order_id", order_id.as_str().into()), ("cause", "confirm".into())];
    // Subject, product and pieces are filled in by the store, for each product.
    let event = inventory.announcer.event("inventory.updated", order_id.as_str(), detail);
    match inventory.store.sell(&order_id, &event).await? {
        Sold::Now(levels) => {
            for level in levels {
                tracing::info!(product_id = %level.product_id, left = level.quantity, "sold");
            }
            Ok(Json(Confirmed { order_id }))
        }
        Sold::Already => Ok(Json(Confirmed { order_id })),
        Sold::Nothing => Err(Failure::conflict(format!("nothing is kept for {order_id}"))),
    }
}
