//! Puts each service together: its telemetry, its store, its peers, its app.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use obs_core::telemetry::Telemetry;
use obs_health::check::TcpCheck;
use obs_health::{Dependency, HealthRegistry};
use obs_ratelimit::{Key, Limiter, Policy, Quota, RateLimitLayer};
use shop_cart::Carts;
use shop_gateway::Gateway;
use shop_inventory::Inventory;
use shop_kit::observe::{Edge, observe, observed};
use shop_kit::serve::serve;
use shop_kit::upstream::Upstream;
use shop_order::Orders;
use shop_product::Products;
use shop_store::{Database, SqliteCarts, SqliteOrders, SqliteProducts, SqliteStock};
use tokio::task::JoinHandle;

use super::{Addresses, Plan, Service, StartError, background};
use crate::name::Name;
use crate::settings::Settings;

/// What a service is put together from.
struct Parts<'a> {
    plan: &'a Plan,
    settings: &'a Settings,
    addresses: &'a Addresses,
    name: Name,
    telemetry: Telemetry,
    background: &'a mut Vec<JoinHandle<()>>,
}

/// An app, and what must work for it to be ready.
struct App {
    router: Router,
    database: Option<Database>,
    peers: Vec<Name>,
    edge: Edge,
}

pub(super) async fn start(
    plan: &Plan,
    settings: &Settings,
    addresses: &Addresses,
    name: Name,
    background: &mut Vec<JoinHandle<()>>,
) -> Result<Service, StartError> {
    let telemetry = telemetry(plan, name)?;
    let scope = telemetry.clone();
    let mut parts =
        Parts { plan, settings, addresses, name, telemetry: telemetry.clone(), background };
    let app = scope.scope(app(&mut parts)).await?;

    let health = health(&parts, app.database, &app.peers)?;
    telemetry.scope(health.refresh()).await;
    let checks = {
        let _its_lines_are_ours = telemetry.enter();
        health.start()
    };
    let mut router = app.router.merge(health.router());
    if name == Name::Gateway {
        // Where the others' health is, too.
        router = router.nest("/api/gateway", health.router());
    }
    let observer = observe(&telemetry, app.edge)?;
    let router = observed(router, &observer);
    let serving = serve(addresses.take(name)?, router).map_err(StartError::service(name))?;
    Ok(Service { serving, telemetry, observer, health, _checks: checks })
}

/// Each service has its own identity; the process's name must not become theirs.
fn telemetry(plan: &Plan, name: Name) -> Result<Telemetry, StartError> {
    let mut builder = Telemetry::builder(name.as_str())
        .environment(plan.environment.without("OTEL_SERVICE_NAME"))
        .output(plan.output.clone());
    if let Some(exporters) = &plan.span_exporters {
        builder = builder.boxed_span_exporter(exporters(name));
    }
    Ok(builder.build()?)
}

async fn app(parts: &mut Parts<'_>) -> Result<App, StartError> {
    match parts.name {
        Name::Gateway => gateway(parts),
        Name::Product => product(parts).await,
        Name::Order => order(parts).await,
        Name::Inventory => inventory(parts).await,
        Name::Cart => cart(parts),
    }
}

fn gateway(parts: &Parts<'_>) -> Result<App, StartError> {
    let gateway = Gateway {
        product: parts.upstream(Name::Product)?,
        order: parts.upstream(Name::Order)?,
        inventory: parts.upstream(Name::Inventory)?,
        cart: parts.upstream(Name::Cart)?,
    };
    let Settings { rate_limit_per_second, rate_limit_burst, .. } = parts.settings;
    let quota = Quota::per_second(u64::from(rate_limit_per_second.get()))
        .burst(u64::from(rate_limit_burst.get()));
    // Requests without a tenant share one bucket.
    let policy = Policy::builder("tenant", quota).key(Key::tenant()).build()?;
    let limiter = Limiter::new(policy)?;
    parts.telemetry.controls().register(Arc::new(limiter.clone()));
    Ok(App {
        router: shop_gateway::app(gateway).layer(RateLimitLayer::new(limiter)),
        database: None,
        peers: vec![Name::Product, Name::Order, Name::Inventory, Name::Cart],
        edge: Edge::Public,
    })
}

async fn product(parts: &Parts<'_>) -> Result<App, StartError> {
    let store = SqliteProducts::open(&parts.file()).map_err(parts.failed())?;
    shop_product::seed(&store).await.map_err(parts.failed())?;
    let database = Some(store.database().clone());
    let router = shop_product::app(Products { store: Arc::new(store) });
    Ok(App { router, database, peers: Vec::new(), edge: Edge::Internal })
}

async fn order(parts: &mut Parts<'_>) -> Result<App, StartError> {
    let store = SqliteOrders::open(&parts.file()).map_err(parts.failed())?;
    let database = Some(store.database().clone());
    let unfinished = shop_order::unfinished(&store).await.map_err(parts.failed())?;
    let orders = Orders {
        store: Arc::new(store),
        clock: parts.telemetry.clock().clone(),
        ids: parts.telemetry.ids().clone(),
        cart: parts.upstream(Name::Cart)?,
        product: parts.upstream(Name::Product)?,
        inventory: parts.upstream(Name::Inventory)?,
    };
    parts.background.extend(background::give_up(&parts.telemetry, orders.clone(), unfinished));
    let peers = vec![Name::Cart, Name::Product, Name::Inventory];
    Ok(App { router: shop_order::app(orders), database, peers, edge: Edge::Internal })
}

async fn inventory(parts: &mut Parts<'_>) -> Result<App, StartError> {
    let store = SqliteStock::open(&parts.file()).map_err(parts.failed())?;
    let database = Some(store.database().clone());
    let inventory = Inventory {
        store: Arc::new(store),
        clock: parts.telemetry.clock().clone(),
        reservation_ttl: parts.settings.reservation_ttl,
    };
    for product in shop_product::seeded() {
        let seed = inventory.store.seed(&product.product_id, shop_product::SEEDED_QUANTITY);
        seed.await.map_err(parts.failed())?;
    }
    let orders = parts.upstream(Name::Order)?;
    parts.background.push(background::settle(&parts.telemetry, inventory.clone(), orders));
    let router = shop_inventory::app(inventory);
    Ok(App { router, database, peers: vec![Name::Order], edge: Edge::Internal })
}

fn cart(parts: &Parts<'_>) -> Result<App, StartError> {
    let store = SqliteCarts::open(&parts.file()).map_err(parts.failed())?;
    let database = Some(store.database().clone());
    let router = shop_cart::app(Carts { store: Arc::new(store) });
    Ok(App { router, database, peers: Vec::new(), edge: Edge::Internal })
}

impl Parts<'_> {
    fn upstream(&self, name: Name) -> Result<Upstream, StartError> {
        Ok(Upstream::new(name.as_str(), self.addresses.of(name)?, &self.telemetry))
    }

    fn file(&self) -> PathBuf {
        self.plan.data.join(format!("{}.db", self.name))
    }

    fn failed<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        &self,
    ) -> impl FnOnce(E) -> StartError + use<E> {
        StartError::service(self.name)
    }
}

/// A service needs its own store. Its peers may be down: it is degraded then, and says which.
fn health(
    parts: &Parts<'_>,
    database: Option<Database>,
    peers: &[Name],
) -> Result<HealthRegistry, StartError> {
    let mut health = HealthRegistry::builder(parts.name.as_str())
        .version(env!("CARGO_PKG_VERSION"))
        .environment(parts.plan.environment.clone())
        .controls(parts.telemetry.controls().clone());
    if let Some(database) = database {
        let ping = move || {
            let database = database.clone();
            async move { database.ping().await }
        };
        health = health.dependency(Dependency::required("database", ping));
    }
    for peer in peers {
        let check = TcpCheck::new(parts.addresses.of(*peer)?.to_string());
        health = health.dependency(Dependency::optional(peer.as_str(), check));
    }
    Ok(health.build()?)
}
