//! What happens to an order once the customer has been answered.

use std::sync::Arc;

use serde_json::Value;
use shop_analytics::Analytics;
use shop_kit::stress::Load;
use shop_loyalty::{Loyalty, Paid};
use shop_notification::{Event, Notifications};
use shop_payment::provider::Provider;
use shop_payment::{Demand, Payments, fraud};
use shop_shipping::Shipping;
use shop_store::{
    SqliteAnalytics, SqliteLoyalty, SqliteNotifications, SqlitePayments, SqliteShipments,
};

use super::super::messaging::{self, HandleError, consume, read};
use super::health::database;
use super::{App, Parts, StartError};
use crate::name::Name;

pub(super) fn payment(parts: &mut Parts<'_>) -> Result<App, StartError> {
    let store = SqlitePayments::open(&parts.file()).map_err(parts.failed())?;
    let needed = database(store.database());
    let (telemetry, settings) = (&parts.telemetry, parts.settings);
    let payments = Payments {
        store: Arc::new(store),
        order: parts.upstream(Name::Order)?,
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
    let queue = messaging::queue(parts.broker, messaging::PAYMENT_QUEUE)?;
    let worker = payments.clone();
    parts.background.push(consume(&parts.telemetry, queue, move |_, body| {
        let payments = worker.clone();
        async move {
            let demand: Demand = serde_json::from_value(body)?;
            shop_payment::settle(&payments, &demand).await?;
            Ok(())
        }
    })?);
    let app = App::internal(shop_payment::app(payments)).needs(needed);
    Ok(app.calls([Name::Order]).time_limit(Load::MAX_DURATION))
}

pub(super) fn shipping(parts: &Parts<'_>) -> Result<App, StartError> {
    let store = SqliteShipments::open(&parts.file()).map_err(parts.failed())?;
    let needed = database(store.database());
    let shipping = Shipping { store: Arc::new(store), clock: parts.telemetry.clock().clone() };
    Ok(App::internal(shop_shipping::app(shipping)).needs(needed))
}

pub(super) fn loyalty(parts: &mut Parts<'_>) -> Result<App, StartError> {
    let store = SqliteLoyalty::open(&parts.file()).map_err(parts.failed())?;
    let needed = database(store.database());
    let loyalty = Loyalty { store: Arc::new(store), turns: parts.turns() };
    let queue = messaging::queue(parts.broker, "shopfast-loyalty-queue")?;
    let worker = loyalty.clone();
    parts.background.push(consume(&parts.telemetry, queue, move |message, mut body| {
        let loyalty = worker.clone();
        async move {
            let paid: Paid = serde_json::from_value(body["detail"].take())?;
            shop_loyalty::accrue(&loyalty, &paid, message.sent_at_ms).await?;
            Ok(())
        }
    })?);
    let app = App::internal(shop_loyalty::app(loyalty)).needs(needed);
    Ok(app.time_limit(Load::MAX_DURATION))
}

pub(super) fn notification(parts: &mut Parts<'_>) -> Result<App, StartError> {
    let store = SqliteNotifications::open(&parts.file()).map_err(parts.failed())?;
    let needed = database(store.database());
    let notifications = Notifications {
        store: Arc::new(store),
        order: parts.upstream(Name::Order)?,
        clock: parts.telemetry.clock().clone(),
        metrics: shop_notification::Metrics::new(parts.telemetry.recorder()),
    };
    let queue = messaging::queue(parts.broker, "shopfast-notification-queue")?;
    let worker = notifications.clone();
    parts.background.push(consume(&parts.telemetry, queue, move |_, body| {
        let notifications = worker.clone();
        async move {
            let event: Event = serde_json::from_value(body)?;
            shop_notification::notify(&notifications, &event).await?;
            Ok(())
        }
    })?);
    let router = shop_notification::app(notifications);
    Ok(App::internal(router).needs(needed).calls([Name::Order]))
}

pub(super) fn analytics(parts: &mut Parts<'_>) -> Result<App, StartError> {
    let store = SqliteAnalytics::open(&parts.file()).map_err(parts.failed())?;
    let needed = database(store.database());
    let analytics = Analytics { store: Arc::new(store), turns: parts.turns() };
    let stream = messaging::stream(parts.broker, "cloudcafe-analytics-stream")?;
    let worker = analytics.clone();
    let facts = read(&parts.telemetry, stream, "analytics-worker", move |documents| {
        let analytics = worker.clone();
        async move { ingest(&analytics, documents).await }
    });
    let queue = messaging::queue(parts.broker, "shopfast-inventory-queue")?;
    let worker = analytics.clone();
    let moves = consume(&parts.telemetry, queue, move |message, body| {
        let analytics = worker.clone();
        async move {
            if shop_analytics::fact(&body, 0).is_none() {
                return Err("the message is no event".into());
            }
            ingest(&analytics, vec![(body, message.sent_at_ms)]).await
        }
    })?;
    let log = messaging::outside(parts.broker, "operations-log")?;
    let operations = consume(&parts.telemetry, log, |_, body| async move {
        tracing::info!(event = body["detail-type"].as_str(), "operational event");
        Ok(())
    })?;
    parts.background.extend([facts, moves, operations]);
    let app = App::internal(shop_analytics::app(analytics)).needs(needed);
    Ok(app.time_limit(Load::MAX_DURATION))
}

/// Keeps what of `documents` is an event; what is none tells nothing.
async fn ingest(analytics: &Analytics, documents: Vec<(Value, u64)>) -> Result<(), HandleError> {
    let facts: Vec<_> = documents
        .iter()
        .filter_map(|(document, at_ms)| shop_analytics::fact(document, *at_ms))
        .collect();
    shop_analytics::ingest(analytics, &facts).await?;
    Ok(())
}
