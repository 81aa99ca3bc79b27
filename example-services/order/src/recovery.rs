use std::time::Duration;

use shop_domain::order::Attempt;
use shop_domain::port::{OrderStore, StoreError};

use crate::{Orders, placing};

/// The most orders recovered at a start: more than can be under way at a time. What is beyond is
/// settled when its reservation runs out.
const MOST: usize = 10_000;

/// How long to wait before asking the inventory service again.
const RETRY: Duration = Duration::from_millis(500);

/// How often to ask it again.
const ATTEMPTS: u32 = 60;

/// The orders that were being placed when the service last ended, for [`give_up`].
///
/// Must be asked before the service takes requests: afterwards an order that was being placed
/// looks like one that is.
///
/// # Errors
/// When the store fails.
pub async fn unfinished(store: &dyn OrderStore) -> Result<Vec<Attempt>, StoreError> {
    store.unfinished(MOST).await
}

/// Gives up `orders`: their stock goes back, then they are forgotten.
///
/// An order whose stock cannot be given back yet is kept, so that the next start finds it again.
/// Waits for the inventory service for about half a minute; what is left then is settled when it
/// runs out.
#[tracing::instrument(name = "order.recover", skip_all)]
pub async fn give_up(orders: &Orders, unfinished: &[Attempt]) {
    let mut attempts = 0;
    for attempt in unfinished {
        while let Err(error) = placing::release(orders, attempt).await {
            attempts += 1;
            if attempts == ATTEMPTS {
                tracing::warn!(%error, "unfinished orders are left to the expiry of their stock");
                return;
            }
            tokio::time::sleep(RETRY).await;
        }
        if let Err(error) = orders.store.abandon(attempt).await {
            tracing::error!(order_id = %attempt.order_id, %error, "order is not given up");
        }
    }
}
