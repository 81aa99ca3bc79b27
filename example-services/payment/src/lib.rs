//! The payment processor: charges orders, unless they look like fraud.
//!
//! | endpoint | does |
//! |---|---|
//! | `PUT /payments/{order_id}/method` `{"card_number"}` | (internal) notes brand and last four digits |
//! | `GET /transactions/{order_id}` | the transactions of an order |
//! | `POST /stress/cold-start-avalanche?scale&duration_ms` | the avalanche, within bounds |
//!
//! What it is for comes through the queue `cloudcafe-payment-queue.fifo`: [`settle`] is what is done
//! for each message there, however often it is delivered.
//!
//! The number of a card is looked at once and never kept.

mod avalanche;
mod charging;
pub mod fraud;
mod metrics;
pub mod provider;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post, put};
use obs_core::clock::Clock;
use obs_core::id::IdGenerator;
use serde::{Deserialize, Serialize};
use shop_domain::id::OrderId;
use shop_domain::payment::{Method, Transaction};
use shop_domain::port::{PaymentStore, Workflow};
use shop_kit::extract::{Json, Path};
use shop_kit::failure::{Failure, refuse_the_rest};
use shop_kit::observe::about_order;
use shop_kit::stress::Turns;

pub use charging::{ChargeError, Demand, charge, settle};
pub use metrics::{COLD_STARTS, FRAUD_SCORE, Metrics, PAYMENT_OUTCOME};

use self::provider::Provider;

/// The service's parts.
#[derive(Clone, Debug)]
pub struct Payments {
    /// Where payments are kept.
    pub store: Arc<dyn PaymentStore>,
    /// The workflow that asks for payments, and is told how they ended.
    pub workflow: Arc<dyn Workflow>,
    /// Who moves the money.
    pub provider: Provider,
    /// How often the features of a payment are hashed for its score; [`fraud::ITERATIONS`].
    pub fraud_iterations: u32,
    /// The time.
    pub clock: Clock,
    /// Where ids come from.
    pub ids: IdGenerator,
    /// What is counted.
    pub metrics: Metrics,
    /// Who may run a stress scenario.
    pub turns: Turns,
    /// Whether the function has run before in this process.
    pub warm: Arc<AtomicBool>,
}

impl Payments {
    /// Notes that the function runs; says whether it starts cold, which is counted.
    fn start(&self) -> bool {
        let cold = !self.warm.swap(true, Ordering::Relaxed);
        if cold {
            self.metrics.cold_starts.add(1);
        }
        cold
    }
}

/// The service, without the layers around it.
pub fn app(payments: Payments) -> Router {
    let router = Router::new()
        .route("/payments/{order_id}/method", put(set_method))
        .route("/transactions/{order_id}", get(transactions))
        .route("/stress/cold-start-avalanche", post(avalanche::avalanche));
    refuse_the_rest(router).with_state(payments)
}

/// Not `Debug`: it holds the number of a card.
#[derive(Deserialize)]
struct Card {
    card_number: String,
}

async fn set_method(
    State(payments): State<Payments>,
    Path(order): Path<OrderId>,
    Json(Card { card_number }): Json<Card>,
) -> Result<Json<Method>, Failure> {
    about_order(&order, None);
    let digits: Vec<u8> = card_number.bytes().filter(u8::is_ascii_digit).collect();
    let last4 = digits.last_chunk::<4>().and_then(|last| std::str::from_utf8(last).ok());
    let Some(last4) = last4.filter(|_| digits.len() >= 12) else {
        return Err(Failure::unprocessable("card_number must be the number of a card"));
    };
    let method = Method { brand: brand(&digits).to_owned(), last4: last4.to_owned() };
    payments.store.set_method(&order, &method).await?;
    Ok(Json(method))
}

/// The brand by the first digits, as ISO/IEC 7812 assigns them.
fn brand(digits: &[u8]) -> &'static str {
    match digits {
        [b'4', ..] => "visa",
        [b'5', b'1'..=b'5', ..] | [b'2', b'2'..=b'7', ..] => "mastercard",
        [b'3', b'4' | b'7', ..] => "amex",
        _ => "other",
    }
}

#[derive(Serialize)]
struct Log {
    transactions: Vec<Transaction>,
}

async fn transactions(
    State(payments): State<Payments>,
    Path(order): Path<OrderId>,
) -> Result<Json<Log>, Failure> {
    about_order(&order, None);
    Ok(Json(Log { transactions: payments.store.by_order(&order).await? }))
}
