use http::Method;
use serde::{Deserialize, Serialize};
use shop_domain::order::Attempt;
use shop_kit::failure::Failure;
use shop_kit::upstream::Upstream;

use crate::Inventory;

/// The most reservations settled with one call.
const BATCH: usize = 100;

#[derive(Serialize)]
struct Question<'a> {
    attempts: &'a [Attempt],
}

#[derive(Deserialize)]
struct Answer {
    accepted: Vec<Attempt>,
    abandoned: Vec<Attempt>,
}

/// Settles the reservations that have run out; returns how many it kept and gave back.
///
/// The order service decides: it answers `accepted` for an attempt whose order was promised to a
/// customer, and `abandoned` for one that came to nothing. May be repeated, and cut short, at any time.
///
/// # Errors
/// When a store or the order service fails; what is not settled then stays reserved.
#[tracing::instrument(name = "stock.settle", skip_all)]
pub async fn settle(inventory: &Inventory, orders: &Upstream) -> Result<Settled, Failure> {
    let mut settled = Settled::default();
    loop {
        let now_ms = inventory.clock.wall().unix_millis();
        let expired = inventory.store.expired(now_ms, BATCH).await?;
        if expired.is_empty() {
            return Ok(settled);
        }
        let question = Question { attempts: &expired };
        let answer: Answer = orders.call(Method::POST, "/orders/settle", Some(&question)).await?;
        if answer.accepted.len() + answer.abandoned.len() < expired.len() {
            // One that is left out would be asked about for ever.
            return Err(Failure::unavailable("the order service left orders out"));
        }
        for attempt in &answer.accepted {
            settled.kept += u64::from(inventory.store.confirm(attempt).await?);
        }
        for attempt in &answer.abandoned {
            settled.given_back += u64::from(inventory.store.withdraw(attempt).await?);
        }
    }
}

/// What [`settle`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Reservations of accepted orders, kept from now on.
    pub kept: u64,
    /// Reservations whose orders came to nothing.
    pub given_back: u64,
}
