//! What services do without being asked.

use std::time::Duration;

use obs_core::context::RequestContext;
use obs_core::telemetry::Telemetry;
use obs_core::trace::SamplingInput;
use shop_domain::id::OrderId;
use shop_inventory::Inventory;
use shop_kit::upstream::Upstream;
use shop_order::Orders;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

/// The shortest and the longest time between two looks at expired reservations.
const SETTLE_EVERY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Gives up the orders that were being placed when the service last ended.
pub(super) fn give_up(
    telemetry: &Telemetry,
    orders: Orders,
    unfinished: Vec<OrderId>,
) -> Option<JoinHandle<()>> {
    if unfinished.is_empty() {
        return None;
    }
    let job = job(telemetry);
    Some(tokio::spawn(async move {
        let work = async {
            tracing::warn!(orders = unfinished.len(), "giving up orders that were cut short");
            shop_order::give_up(&orders, &unfinished).await;
        };
        job.scope(work).await;
    }))
}

/// Settles reservations that have run out, for ever.
pub(super) fn settle(
    telemetry: &Telemetry,
    inventory: Inventory,
    orders: Upstream,
) -> JoinHandle<()> {
    let telemetry = telemetry.clone();
    tokio::spawn(async move {
        let (shortest, longest) = SETTLE_EVERY;
        let period = (inventory.reservation_ttl / 10).clamp(shortest, longest);
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            // Looked up outside of a job: most of the time there is nothing to do or to trace.
            let now_ms = inventory.clock.wall().unix_millis();
            let expired = telemetry.scope(inventory.store.expired(now_ms, 1)).await;
            if expired.is_ok_and(|expired| !expired.is_empty()) {
                job(&telemetry).scope(settle_once(&inventory, &orders)).await;
            }
        }
    })
}

async fn settle_once(inventory: &Inventory, orders: &Upstream) {
    // A failure has been told where it arose; the next tick tries again.
    if let Ok(settled) = shop_inventory::settle(inventory, orders).await {
        let shop_inventory::Settled { kept, given_back } = settled;
        tracing::info!(kept, given_back, "expired reservations settled");
    }
}

/// Work of the service's own, with ids of its own.
fn job(telemetry: &Telemetry) -> RequestContext {
    let mut builder = RequestContext::builder(telemetry);
    let input = SamplingInput::new(builder.trace_id(), telemetry.service_name());
    let decision = telemetry.tracer().decide(&input);
    builder.sampled(decision.sampled).build()
}
