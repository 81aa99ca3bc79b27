use std::sync::Arc;
use std::time::Duration;

use obs_core::context::RequestContext;
use obs_core::propagate::TrustPolicy;
use obs_core::propagate::message::{MessageFields, embedded};
use obs_core::telemetry::Telemetry;
use obs_core::trace::{SpanKind, SpanRecord};
use shop_domain::port::messaging::{EventBus, MAX_EVENTS, NewEvent, Put};
use shop_domain::port::{Outbox, Pending};
use tokio::task::JoinHandle;

/// How long to wait for an event at a time, and after a failure.
const WAIT: (Duration, Duration) = (Duration::from_secs(20), Duration::from_millis(500));

/// Puts what an outbox holds on the bus, for ever.
pub(crate) fn relay(
    telemetry: &Telemetry,
    outbox: Arc<dyn Outbox>,
    bus: Arc<dyn EventBus>,
) -> JoinHandle<()> {
    let telemetry = telemetry.clone();
    let scope = telemetry.clone();
    let serve = async move {
        loop {
            let moved = match outbox.pending(MAX_EVENTS, WAIT.0).await {
                Ok(pending) => publish(&telemetry, &*outbox, &*bus, pending).await,
                Err(error) => Err(error.to_string()),
            };
            if let Err(error) = moved {
                tracing::warn!(error, "events stay in the outbox");
                tokio::time::sleep(WAIT.1).await;
            }
        }
    };
    tokio::spawn(async move { scope.scope(serve).await })
}

async fn publish(
    telemetry: &Telemetry,
    outbox: &dyn Outbox,
    bus: &dyn EventBus,
    pending: Vec<Pending>,
) -> Result<(), String> {
    if pending.is_empty() {
        return Ok(());
    }
    let (ids, events): (Vec<_>, Vec<_>) =
        pending.into_iter().map(|Pending { id, event }| (id, event)).unzip();
    let (spans, events): (Vec<_>, Vec<_>) =
        events.into_iter().map(|event| produced(telemetry, bus.name(), event)).unzip();
    let answers = bus.put(&events).await.map_err(|error| error.to_string())?;
    for (answer, event) in answers.iter().zip(&events) {
        if let Put::Refused(because) = answer {
            // It would be refused for ever: what can be done is to say so.
            tracing::error!(because, detail_type = event.detail_type, "event refused by the bus");
        }
    }
    for mut span in spans.into_iter().flatten() {
        span.end = telemetry.clock().wall();
        telemetry.tracer().export(span);
    }
    outbox.published(&ids).await.map_err(|error| error.to_string())
}

/// The span of putting `event`, below the request that wrote it, and the event, which carries on
/// from that span.
fn produced(
    telemetry: &Telemetry,
    bus: &str,
    mut event: NewEvent,
) -> (Option<SpanRecord>, NewEvent) {
    let trust = TrustPolicy::message();
    let Some(fields) = embedded::get(&event.detail) else { return (None, event) };
    let extracted = telemetry.propagators().extract(fields, &trust);
    let now = telemetry.clock().now();
    let builder = RequestContext::builder(telemetry).extracted(extracted, now);
    let sampled = builder.parent_sampled().unwrap_or_default();
    let context = builder.sampled(sampled).build();
    let mut fields = MessageFields::default();
    context.inject(&mut fields, &trust);
    event.trace_header = fields.trace_header().map(str::to_owned);
    embedded::insert(&mut event.detail, &fields);
    if !sampled {
        return (None, event);
    }
    let name = format!("{bus} publish");
    let mut span = SpanRecord::new(name, SpanKind::Producer, context.trace_id(), context.span_id());
    span.parent_span_id = context.parent_span_id();
    span.start = telemetry.clock().wall();
    span.attributes.push("messaging.system", "aws_eventbridge");
    span.attributes.push("messaging.destination.name", bus.to_owned());
    span.attributes.push("messaging.operation.type", "send");
    span.attributes.push("event.type", event.detail_type.clone());
    for key in ["order_id", "user_id"] {
        if let Some(value) = event.detail.get(key).and_then(|value| value.as_str()) {
            span.annotate(key, value.to_owned());
        }
    }
    (Some(span), event)
}
