use std::time::Duration;

use shop_domain::id::OrderId;
use shop_domain::port::{OrderStore, StoreError};

use crate::{Orders, placing};

/// The most orders read at a time.
const BATCH: usize = 100;

/// How long to wait before asking the inventory service again.
const RETRY: Duration = Duration::from_millis(500);

/// How often to ask it again.
const ATTEMPTS: u32 = 60;

/// Gives up the orders that were being placed when the service last ended; returns their ids, for
/// [`give_back`].
///
/// Must be done before the service takes requests: it cannot tell an order that was being placed
/// from one that is.
///
/// # Errors
/// When the store fails.
pub async fn recover(store: &dyn OrderStore) -> Result<Vec<OrderId>, StoreError> {
    let mut given_up = Vec::new();
    loop {
        let unfinished = store.unfinished(BATCH).await?;
        if unfinished.is_empty() {
            return Ok(given_up);
        }
        for id in unfinished {
            store.abandon(&id).await?;
            given_up.push(id);
        }
    }
}

/// Gives back what is reserved for `given_up`, as soon as the inventory service can be reached.
///
/// Waits for that about half a minute; what is left then is given back when it expires.
#[tracing::instrument(name = "order.give_back", skip_all)]
pub async fn give_back(orders: &Orders, given_up: &[OrderId]) {
    let mut attempts = 0;
    for id in given_up {
        while placing::release(orders, id).await.is_err() && attempts < ATTEMPTS {
            attempts += 1;
            tokio::time::sleep(RETRY).await;
        }
    }
}
