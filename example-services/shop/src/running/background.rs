//! What services do without being asked.

use std::time::Duration;

use obs_core::context::RequestContext;
use obs_core::telemetry::Telemetry;
use obs_core::trace::SamplingInput;
use shop_domain::order::Attempt;
use shop_inventory::Inventory;
use shop_kit::upstream::Upstream;
use shop_order::Orders;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// The shortest and the longest time between two looks at expired reservations.
const SETTLE_EVERY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The loops of a process. Each is told to stop and then finishes what it has begun.
#[derive(Debug, Default)]
pub(super) struct Background {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Background {
    /// Completes when the loops are to stop.
    pub(super) fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stop = self.stop.subscribe();
        async move {
            // Whoever could have told is gone.
            let _ = stop.wait_for(|stop| *stop).await;
        }
    }

    /// Runs `task`, which ends when [`Background::stopped`] completes.
    pub(super) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Tells the loops to stop and waits for `limit` at most; what is still going on then is cut
    /// short. Says whether all of them finished.
    pub(super) async fn finish(mut self, limit: Duration) -> bool {
        self.stop.send_replace(true);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        tokio::time::timeout(limit, all).await.is_ok()
    }
}

/// Gives up the orders that were being placed when the service last ended.
pub(super) async fn give_up(
    telemetry: Telemetry,
    orders: Orders,
    unfinished: Vec<Attempt>,
    stop: impl Future<Output = ()>,
) {
    if unfinished.is_empty() {
        return;
    }
    let work = async {
        tracing::warn!(orders = unfinished.len(), "giving up orders that were cut short");
        shop_order::give_up(&orders, &unfinished).await;
    };
    tokio::select! {
        () = job(&telemetry).scope(work) => {}
        () = stop => {}
    }
}

/// Settles reservations that have run out, until `stop` completes.
pub(super) async fn settle(
    telemetry: Telemetry,
    inventory: Inventory,
    orders: Upstream,
    stop: impl Future<Output = ()>,
) {
    let forever = async {
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
    };
    tokio::select! {
        () = forever => {}
        () = stop => {}
    }
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
