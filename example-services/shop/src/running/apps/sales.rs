//! The way of an order as long as the customer waits.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::try_join_all;
use obs_ratelimit::{Key, Limiter, Policy, Quota, RateLimitLayer};
use shop_cart::Carts;
use shop_domain::port::CartStore;
use shop_gateway::Gateway;
use shop_inventory::Inventory;
use shop_kit::observe::Edge;
use shop_kit::upstream::Upstream;
use shop_order::{Event, Orders};
use shop_store::{RedisCarts, SqliteCarts, SqliteOrders, SqliteStock};

use super::super::workflow::{self, Functions, Runner};
use super::super::{background, messaging};
use super::health::{database, redis};
use super::{App, PAYMENT_QUEUE, Parts, StartError};
use crate::name::Name;
use crate::settings::Settings;

/// How long a customer may wait: longer than the gateway waits for a service, so that it is the
/// gateway that tells which one was late. Stress scenarios may take longer.
const CUSTOMER: Duration = Duration::from_secs(200);

pub(super) fn gateway(parts: &Parts<'_>) -> Result<App, StartError> {
    let gateway = Gateway {
        product: parts.upstream(Name::Product)?,
        order: parts.upstream(Name::Order)?,
        inventory: parts.upstream(Name::Inventory)?,
        cart: parts.upstream(Name::Cart)?,
        menu: parts.upstream(Name::Menu)?,
        payment: parts.upstream(Name::Payment)?,
        loyalty: parts.upstream(Name::Loyalty)?,
        analytics: parts.upstream(Name::Analytics)?,
        notification: parts.upstream(Name::Notification)?,
        shipping: parts.upstream(Name::Shipping)?,
        ids: parts.telemetry.ids().clone(),
    };
    let Settings { rate_limit_per_second, rate_limit_burst, .. } = parts.settings;
    let quota = Quota::per_second(u64::from(rate_limit_per_second.get()))
        .burst(u64::from(rate_limit_burst.get()));
    // Requests without a tenant share one bucket.
    let policy = Policy::builder("tenant", quota).key(Key::tenant()).build()?;
    let limiter = Limiter::new(policy)?;
    parts.telemetry.controls().register(Arc::new(limiter.clone()));
    let router = shop_gateway::app(gateway).layer(RateLimitLayer::new(limiter));
    let peers = Name::ALL.into_iter().filter(|name| *name != Name::Gateway);
    let app = App { edge: Edge::Public, ..App::internal(router) };
    Ok(app.calls(peers.collect::<Vec<_>>()).time_limit(CUSTOMER))
}

pub(super) async fn order(parts: &mut Parts<'_>) -> Result<App, StartError> {
    let store = SqliteOrders::open(&parts.file()).map_err(parts.failed())?;
    let needed = database(store.database());
    let outbox = Arc::new(store.outbox(messaging::time()));
    let unfinished = shop_order::unfinished(&store).await.map_err(parts.failed())?;
    let orders = Orders {
        store: Arc::new(store),
        clock: parts.telemetry.clock().clone(),
        ids: parts.telemetry.ids().clone(),
        cart: parts.upstream(Name::Cart)?,
        product: parts.upstream(Name::Product)?,
        inventory: parts.upstream(Name::Inventory)?,
        menu: parts.upstream(Name::Menu)?,
        payment: parts.upstream(Name::Payment)?,
        announcer: parts.announcer(shop_order::SOURCE),
        metrics: shop_order::Metrics::new(parts.telemetry.recorder()),
        turns: parts.turns(),
    };
    let (telemetry, stop) = (parts.telemetry.clone(), parts.background.stopped());
    parts.background.spawn(background::give_up(telemetry, orders.clone(), unfinished, stop));
    parts.relay(outbox)?;
    let worker = orders.clone();
    let queue = parts.queue("shopfast-order-queue")?;
    parts.consume(queue, Some("shopfast-order-dlq"), move |message| {
        let orders = worker.clone();
        async move {
            let event: Event = serde_json::from_str(&message.body)?;
            shop_order::project(&orders, &event).await?;
            Ok(())
        }
    })?;
    executions(parts, &orders.inventory)?;
    let app = App::internal(shop_order::app(orders)).needs(needed);
    // Longer than a call to each of the others may take.
    let before = [Name::Cart, Name::Product, Name::Menu, Name::Inventory, Name::Payment];
    let peers = before.into_iter().chain([Name::Shipping]).collect::<Vec<_>>();
    Ok(app.calls(peers).time_limit(CUSTOMER))
}

/// Starts an execution of the workflow for each order that is accepted, and drives them all.
fn executions(parts: &mut Parts<'_>, inventory: &Upstream) -> Result<(), StartError> {
    let engine = parts.workflow()?;
    let accepted = messaging::outside(&parts.shared.broker, "order-workflow")?;
    let starting = engine.clone();
    parts.consume(accepted, Some(messaging::REFUSED_EVENTS), move |message| {
        let engine = starting.clone();
        async move { workflow::start(&engine, &message).await }
    })?;
    let functions = Functions::default()
        .service(parts.upstream(Name::Order)?)
        .service(inventory.clone())
        .service(parts.upstream(Name::Shipping)?);
    let runner = Runner::new(functions, parts.queue(PAYMENT_QUEUE)?, &parts.telemetry);
    let (telemetry, stop) = (parts.telemetry.clone(), parts.background.stopped());
    parts.background.spawn(workflow::drive(engine, runner, telemetry, stop));
    Ok(())
}

pub(super) async fn inventory(parts: &mut Parts<'_>) -> Result<App, StartError> {
    let store = SqliteStock::open(&parts.file()).map_err(parts.failed())?;
    let needed = database(store.database());
    let outbox = Arc::new(store.outbox(messaging::time()));
    parts.relay(outbox)?;
    let inventory = Inventory {
        store: Arc::new(store),
        clock: parts.telemetry.clock().clone(),
        reservation_ttl: parts.settings.reservation_ttl,
        announcer: parts.announcer(shop_inventory::SOURCE),
        turns: parts.turns(),
    };
    let goods =
        shop_product::seeded().map(|product| (product.product_id, shop_product::SEEDED_QUANTITY));
    let dishes = shop_menu::seeded().map(|(item_id, _)| (item_id, shop_menu::SEEDED_QUANTITY));
    let shelves: Vec<_> = goods.chain(dishes).collect();
    // At once: writes that wait together share one sync.
    let seeds = shelves.iter().map(|(id, quantity)| inventory.store.seed(id, *quantity));
    try_join_all(seeds).await.map_err(parts.failed())?;
    let orders = parts.upstream(Name::Order)?;
    let (telemetry, stop) = (parts.telemetry.clone(), parts.background.stopped());
    parts.background.spawn(background::settle(telemetry, inventory.clone(), orders, stop));
    let router = shop_inventory::app(inventory);
    Ok(App::internal(router).needs(needed).calls([Name::Order]).time_limit(CUSTOMER))
}

pub(super) fn cart(parts: &Parts<'_>) -> Result<App, StartError> {
    let recorder = parts.telemetry.recorder();
    let (store, needed): (Arc<dyn CartStore>, _) = match &parts.settings.redis_url {
        Some(url) => {
            let store = RedisCarts::new(url, parts.telemetry.clock(), recorder)?;
            let needed = redis(store.pool());
            (Arc::new(store), needed)
        }
        None => {
            let store = SqliteCarts::open(&parts.file()).map_err(parts.failed())?;
            let needed = database(store.database());
            (Arc::new(store), needed)
        }
    };
    let metrics = shop_cart::Metrics::new(recorder);
    let app = App::internal(shop_cart::app(Carts { store, metrics })).needs(needed);
    Ok(app.time_limit(CUSTOMER))
}
