//! Puts each service together: its telemetry, its store, its peers, its app.

mod afterwards;
mod catalogue;
mod health;
mod parts;
mod sales;

use std::time::Duration;

use axum::Router;
use obs_core::config::ConfigError;
use obs_core::telemetry::Telemetry;
use obs_health::Dependency;
use obs_tower::bulkhead::{Bulkhead, BulkheadConfig};
use obs_tower::guard::GuardLayer;
use obs_tower::timeout::TimeLimiter;
use shop_kit::observe::{Edge, observe, observed};
use shop_kit::serve::serve;
use shop_store::Broker;
use shop_workflow::Engine;

use self::parts::Parts;
use super::background::Background;
use super::{Addresses, Plan, Service, StartError, telemetry};
use crate::name::Name;
use crate::settings::Settings;

/// The queue that feeds the payment processor.
const PAYMENT_QUEUE: &str = "cloudcafe-payment-queue.fifo";

/// The requests that a service works on at a time; further ones wait their turn.
const MAX_CONCURRENT: u32 = 256;

/// How many may wait; further ones are refused with 503.
const MAX_WAITING: u32 = 8_192;

/// An app, and what must work for it to be ready.
struct App {
    router: Router,
    dependencies: Vec<Dependency>,
    /// The services it calls. They may be down: it is degraded then, and says which.
    peers: Vec<Name>,
    edge: Edge,
    /// How long a request may take.
    time_limit: Duration,
}

impl App {
    /// An app for our own services, whose requests take 10 s at most.
    fn internal(router: Router) -> Self {
        Self {
            router,
            dependencies: Vec::new(),
            peers: Vec::new(),
            edge: Edge::Internal,
            time_limit: shop_kit::upstream::CALL_TIMEOUT,
        }
    }

    fn needs(mut self, dependency: Dependency) -> Self {
        self.dependencies.push(dependency);
        self
    }

    fn calls(mut self, peers: impl Into<Vec<Name>>) -> Self {
        self.peers = peers.into();
        self
    }

    fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }
}

/// What all services of a process have in common.
pub(super) struct Shared<'a> {
    pub(super) plan: &'a Plan,
    pub(super) settings: Settings,
    pub(super) addresses: Addresses,
    pub(super) broker: Broker,
    /// For those that start, drive or answer executions.
    pub(super) workflow: Option<Engine>,
}

pub(super) async fn start(
    shared: &Shared<'_>,
    name: Name,
    background: &mut Background,
) -> Result<Service, StartError> {
    let Shared { plan, settings, addresses, .. } = shared;
    let (telemetry, metrics) = telemetry::build(plan, name)?;
    let scope = telemetry.clone();
    let telemetry_of_it = telemetry.clone();
    let mut parts =
        Parts { shared, plan, settings, addresses, name, telemetry: telemetry_of_it, background };
    let app = scope.scope(app(&mut parts)).await?;

    let health = health::registry(&parts, app.dependencies, &app.peers)?;
    telemetry.scope(health.refresh()).await;
    let checks = {
        let _its_lines_are_ours = telemetry.enter();
        health.start()
    };
    // Health is not guarded: it must be told also when there is too much to do.
    let mut router = app.router.layer(guard(&telemetry, app.time_limit)?).merge(health.router());
    if name == Name::Gateway {
        // Where the others' health is, too.
        router = router.nest("/api/gateway", health.router());
    }
    let observer = observe(&telemetry, app.edge)?;
    let router = observed(router, &observer);
    let serving = serve(addresses.take(name)?, router).map_err(StartError::service(name))?;
    Ok(Service { serving, telemetry, observer, health, _checks: checks, _metrics: metrics })
}

/// Bounds what a service takes on at a time, and for how long.
fn guard(telemetry: &Telemetry, limit: Duration) -> Result<GuardLayer, ConfigError> {
    let (clock, recorder, controls) =
        (telemetry.clock(), telemetry.recorder(), telemetry.controls());
    let turns = BulkheadConfig::new()
        .max_concurrent_calls(MAX_CONCURRENT)
        .max_wait_duration(limit)
        .max_queue_length(MAX_WAITING);
    let bulkhead = Bulkhead::builder("inbound").config(turns).clock(clock.clone());
    let limiter = TimeLimiter::builder("inbound").timeout_duration(limit).clock(clock.clone());
    Ok(GuardLayer::builder()
        .clock(clock.clone())
        .bulkhead(bulkhead.recorder(recorder).controls(controls).build()?)
        .time_limiter(limiter.recorder(recorder).controls(controls).build()?)
        .build())
}

async fn app(parts: &mut Parts<'_>) -> Result<App, StartError> {
    match parts.name {
        Name::Gateway => sales::gateway(parts),
        Name::Product => catalogue::product(parts).await,
        Name::Menu => catalogue::menu(parts).await,
        Name::Order => sales::order(parts).await,
        Name::Inventory => sales::inventory(parts).await,
        Name::Cart => sales::cart(parts),
        Name::Payment => afterwards::payment(parts),
        Name::Shipping => afterwards::shipping(parts),
        Name::Loyalty => afterwards::loyalty(parts),
        Name::Notification => afterwards::notification(parts),
        Name::Analytics => afterwards::analytics(parts),
    }
}
