//! The loyalty service: points for what was paid.
//!
//! | endpoint | does |
//! |---|---|
//! | `GET /loyalty/{user_id}` | balance, tier and the latest entries of a customer |
//! | `POST /loyalty/recalculate` | sums up the whole ledger anew; says how many balances were wrong |
//! | `POST /stress/batch-calculation?scale&duration_ms` | the hourly batch, within bounds |
//!
//! A point for each whole unit of currency. What it learns comes through the queue
//! `shopfast-loyalty-queue`: [`accrue`] is what is done for each paid order there, however often it
//! is delivered.

mod batch;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use shop_domain::id::{OrderId, UserId};
use shop_domain::loyalty::{Accrual, Balance};
use shop_domain::port::{LoyaltyStore, StoreError};
use shop_kit::extract::{Json, Path};
use shop_kit::failure::{Failure, refuse_the_rest};
use shop_kit::observe::about_order;
use shop_kit::stress::Turns;

/// The entries shown beside a balance.
const SHOWN: usize = 20;

/// The minor units that bring a point.
const MINOR_PER_POINT: u64 = 100;

/// The service's parts.
#[derive(Clone, Debug)]
pub struct Loyalty {
    /// Where points are kept.
    pub store: Arc<dyn LoyaltyStore>,
    /// Who may run a stress scenario.
    pub turns: Turns,
}

/// An order that was paid.
#[derive(Clone, Debug, Deserialize)]
pub struct Paid {
    /// The order.
    pub order_id: OrderId,
    /// Who paid.
    pub user_id: UserId,
    /// How much, in minor units.
    #[serde(default)]
    pub total_minor: u64,
}

/// The service, without the layers around it.
pub fn app(loyalty: Loyalty) -> Router {
    let router = Router::new()
        .route("/loyalty/recalculate", post(recalculate))
        .route("/loyalty/{user_id}", get(show))
        .route("/stress/batch-calculation", post(batch::batch));
    refuse_the_rest(router).with_state(loyalty)
}

/// Credits the points of an order, once; says whether it did.
///
/// # Errors
/// When the store fails.
#[tracing::instrument(name = "loyalty.accrue", skip_all)]
pub async fn accrue(loyalty: &Loyalty, paid: &Paid, at_ms: u64) -> Result<bool, StoreError> {
    about_order(&paid.order_id, Some(&paid.user_id));
    let points = paid.total_minor / MINOR_PER_POINT;
    let (order_id, user_id) = (paid.order_id.clone(), paid.user_id.clone());
    let new = loyalty.store.accrue(&Accrual { order_id, user_id, points, at_ms }).await?;
    tracing::info!(points, repeated = !new, "points credited");
    Ok(new)
}

#[derive(Serialize)]
struct Account {
    #[serde(flatten)]
    balance: Balance,
    entries: Vec<Accrual>,
}

async fn show(
    State(loyalty): State<Loyalty>,
    Path(user): Path<UserId>,
) -> Result<Json<Account>, Failure> {
    let balance = loyalty.store.balance(&user).await?;
    let entries = loyalty.store.entries(&user, SHOWN).await?;
    Ok(Json(Account { balance, entries }))
}

#[derive(Serialize)]
struct Recalculated {
    balances: u64,
    corrected: u64,
}

async fn recalculate(State(loyalty): State<Loyalty>) -> Result<Json<Recalculated>, Failure> {
    let (balances, corrected) = loyalty.store.recalculate().await?;
    Ok(Json(Recalculated { balances, corrected }))
}
