//! What happens to an order once the customer has been answered.

use std::sync::Arc;

use shop_analytics::Analytics;
use shop_kit::stress::Load;
use shop_loyalty::Loyalty;
use shop_notification::Notifications;
use shop_payment::provider::Provider;
use shop_payment::{Payments, fraud};
use shop_shipping::Shipping;
use shop_store::{
    SqliteAnalytics, SqliteLoyalty, SqliteNotifications, SqlitePayments, SqliteShipments,
};

use super::health::database;
use super::{App, Parts, StartError};
use crate::name::Name;

pub(super) fn payment(parts: &Parts<'_>) -> Result<App, StartError> {
    let store = SqlitePayments::open(&parts.file()).map_err(parts.failed())?;
    let needed = database(store.database());
    let (telemetry, settings) = (&parts.telemetry, parts.settings);
    let payments = Payments {
        store: Arc::new(store),
        provider: Provider::new(
            settings.payment_seed,
            settings.payment_failing_per_mille,
            telemetry.clock(),
            telemetry.recorder(),
        )?,
        fraud_iterations: fraud::ITERATIONS,
        clock: telemetry.clock().clone(),
        ids: telemetry.ids().clone(),
        metrics: shop_payment::Metrics::new(telemetry.recorder()),
        turns: parts.turns(),
    };
    let app = App::internal(shop_payment::app(payments)).needs(needed);
    Ok(app.time_limit(Load::MAX_DURATION))
}

pub(super) fn shipping(parts: &Parts<'_>) -> Result<App, StartError> {
    let store = SqliteShipments::open(&parts.file()).map_err(parts.failed())?;
    let needed = database(store.database());
    let shipping = Shipping { store: Arc::new(store), clock: parts.telemetry.clock().clone() };
    Ok(App::internal(shop_shipping::app(shipping)).needs(needed))
}

pub(super) fn loyalty(parts: &Parts<'_>) -> Result<App, StartError> {
    let store = SqliteLoyalty::open(&parts.file()).map_err(parts.failed())?;
    let needed = database(store.database());
    let loyalty = Loyalty { store: Arc::new(store), turns: parts.turns() };
    let app = App::internal(shop_loyalty::app(loyalty)).needs(needed);
    Ok(app.time_limit(Load::MAX_DURATION))
}

pub(super) fn notification(parts: &Parts<'_>) -> Result<App, StartError> {
    let store = SqliteNotifications::open(&parts.file()).map_err(parts.failed())?;
    let needed = database(store.database());
    let notifications = Notifications {
        store: Arc::new(store),
        order: parts.upstream(Name::Order)?,
        clock: parts.telemetry.clock().clone(),
        metrics: shop_notification::Metrics::new(parts.telemetry.recorder()),
    };
    let router = shop_notification::app(notifications);
    Ok(App::internal(router).needs(needed).calls([Name::Order]))
}

pub(super) fn analytics(parts: &Parts<'_>) -> Result<App, StartError> {
    let store = SqliteAnalytics::open(&parts.file()).map_err(parts.failed())?;
    let needed = database(store.database());
    let analytics = Analytics { store: Arc::new(store), turns: parts.turns() };
    let app = App::internal(shop_analytics::app(analytics)).needs(needed);
    Ok(app.time_limit(Load::MAX_DURATION))
}
