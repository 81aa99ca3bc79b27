//! What happens to an order once the customer has been answered.

use std::sync::Arc;

use serde_json::Value;
use shop_analytics::Analytics;
use shop_domain::port::messaging::Record;
use shop_kit::messaging::{HandleError, Reader, read};
use shop_kit::stress::Load;
use shop_loyalty::{Loyalty, Paid};
use shop_notification::{Event, Notice, Notifications};
use shop_payment::provider::Provider;
use shop_payment::{Demand, Payments, fraud};
use shop_shipping::Shipping;
use shop_store::{
    SqliteAnalytics, SqliteLoyalty, SqliteNotifications, SqlitePayments, SqliteShipments,
};

use super::super::messaging;
use super::health::database;
use super::{App, PAYMENT_QUEUE, Parts, StartError};
use crate::name::Name;

pub(super) fn payment(parts: &mut Parts<'_>) -> Result<App, StartError> {
    let store = SqlitePayments::open(&parts.file()).map_err(parts.failed())?;
    let needed = database(store.database());
    let (telemetry, settings) = (&parts.telemetry, parts.settings);
    let payments = Payments {
        store: Arc::new(store),
        workflow: Arc::new(parts.workflow()?),
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
        warm: Arc::default(),
    };
    let queue = parts.queue(PAYMENT_QUEUE)?;
    let worker = payments.clone();
    parts.consume(queue, Some("cloudcafe-payment-dlq.fifo"), move |message| {
        let payments = worker.clone();
        async move {
            let demand: Demand = serde_json::from_str(&message.body)?;
            shop_payment::settle(&payments, &demand).await?;
            Ok(())
        }
    })?;
    let app = App::internal(shop_payment::app(payments)).needs(needed);
    Ok(app.time_limit(Load::MAX_DURATION))
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
    let queue = parts.queue("shopfast-loyalty-queue")?;
    let worker = loyalty.clone();
    parts.consume(queue, Some("shopfast-loyalty-dlq"), move |message| {
        let loyalty = worker.clone();
        async move {
            let mut event: Value = serde_json::from_str(&message.body)?;
            let paid: Paid = serde_json::from_value(event["detail"].take())?;
            shop_loyalty::accrue(&loyalty, &paid, message.sent_at_ms).await?;
            Ok(())
        }
    })?;
    let app = App::internal(shop_loyalty::app(loyalty)).needs(needed);
    Ok(app.time_limit(Load::MAX_DURATION))
}

pub(super) fn notification(parts: &mut Parts<'_>) -> Result<App, StartError> {
    let store = SqliteNotifications::open(&parts.file()).map_err(parts.failed())?;
    let needed = database(store.database());
    let notifications = Notifications {
        store: Arc::new(store),
        topic: messaging::topic(&parts.shared.broker, "shopfast-notifications")?,
        order: parts.upstream(Name::Order)?,
        clock: parts.telemetry.clock().clone(),
        metrics: shop_notification::Metrics::new(parts.telemetry.recorder()),
    };
    let queue = parts.queue("shopfast-notification-queue")?;
    let worker = notifications.clone();
    parts.consume(queue, Some("shopfast-notification-dlq"), move |message| {
        let notifications = worker.clone();
        async move {
            let event: Event = serde_json::from_str(&message.body)?;
            shop_notification::notify(&notifications, &event).await?;
            Ok(())
        }
    })?;
    for queue in ["shopfast-email-queue", "shopfast-sms-queue", "shopfast-app-queue"] {
        let worker = notifications.clone();
        parts.consume(parts.queue(queue)?, None, move |message| {
            let notifications = worker.clone();
            async move {
                let notice: Notice = serde_json::from_str(&message.body)?;
                shop_notification::deliver(&notifications, &notice).await?;
                Ok(())
            }
        })?;
    }
    let router = shop_notification::app(notifications);
    Ok(App::internal(router).needs(needed).calls([Name::Order]))
}

pub(super) fn analytics(parts: &mut Parts<'_>) -> Result<App, StartError> {
    let store = SqliteAnalytics::open(&parts.file()).map_err(parts.failed())?;
    let needed = database(store.database());
    let analytics = Analytics { store: Arc::new(store), turns: parts.turns() };
    let stream = messaging::stream(&parts.shared.broker, "cloudcafe-analytics-stream")?;
    let reader = Reader::new(stream, "analytics-worker", &parts.telemetry);
    let (worker, stop) = (analytics.clone(), parts.background.stopped());
    parts.background.spawn(read(reader, stop, move |records| {
        let analytics = worker.clone();
        async move { ingest(&analytics, &records).await }
    }));
    let queue = parts.queue("shopfast-inventory-queue")?;
    let worker = analytics.clone();
    parts.consume(queue, Some("shopfast-inventory-dlq"), move |message| {
        let analytics = worker.clone();
        async move {
            let event: Value = serde_json::from_str(&message.body)?;
            let fact = shop_analytics::fact(&event, message.sent_at_ms);
            let fact = fact.ok_or("the message is no event")?;
            shop_analytics::ingest(&analytics, &[fact]).await?;
            Ok(())
        }
    })?;
    let log = messaging::outside(&parts.shared.broker, "operations-log")?;
    parts.consume(log, None, |message| async move {
        let event: Value = serde_json::from_str(&message.body)?;
        tracing::info!(event = event["detail-type"].as_str(), "operational event");
        Ok(())
    })?;
    let app = App::internal(shop_analytics::app(analytics)).needs(needed);
    Ok(app.time_limit(Load::MAX_DURATION))
}

/// Keeps what of `records` is an event; what is none tells nothing.
async fn ingest(analytics: &Analytics, records: &[Record]) -> Result<(), HandleError> {
    let fact = |record: &Record| {
        let event: Value = serde_json::from_slice(&record.data).ok()?;
        shop_analytics::fact(&event, record.put_at_ms)
    };
    let facts: Vec<_> = records.iter().filter_map(fact).collect();
    shop_analytics::ingest(analytics, &facts).await?;
    Ok(())
}
