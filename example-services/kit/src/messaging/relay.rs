use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use obs_core::propagate::TrustPolicy;
use obs_core::propagate::message::{MessageFields, embedded};
use obs_core::telemetry::Telemetry;
use obs_core::trace::SpanKind;
use serde_json::{Map, Value};
use shop_contracts::schema::Schemas;
use shop_domain::port::messaging::{EventBus, MAX_EVENTS, NewEvent, NewMessage, Put, Queue};
use shop_domain::port::{Outbox, Pending};

use super::Job;

/// How long a relay waits for events at a time.
const WAIT: Duration = Duration::from_secs(20);

/// How long a bus is left alone that did not take events.
const PAUSE: Duration = Duration::from_millis(500);

/// What is needed to put the events of an outbox on a bus.
#[derive(Clone, Debug)]
pub struct Relay {
    /// Where the events come from.
    pub outbox: Arc<dyn Outbox>,
    /// Where they go.
    pub bus: Arc<dyn EventBus>,
    /// What events must be like.
    pub schemas: Arc<Schemas>,
    /// Where those go that are not, or that the bus refuses.
    pub refused: Arc<dyn Queue>,
    /// The telemetry of the service whose events they are.
    pub telemetry: Telemetry,
}

/// Puts the events of an outbox on a bus, in order, until `stop` completes.
///
/// An event is put at least once: again if the process ends before the outbox knows.
pub async fn relay(relay: Relay, stop: impl Future<Output = ()>) {
    let forever = async {
        loop {
            if relay.once().await.is_none() {
                tokio::time::sleep(PAUSE).await;
            }
        }
    };
    tokio::select! {
        () = stop => {}
        () = relay.telemetry.scope(forever) => {}
    }
}

impl Relay {
    /// Puts what is pending; `None` if that failed.
    async fn once(&self) -> Option<()> {
        let pending = self.outbox.pending(MAX_EVENTS, WAIT).await;
        let pending = told(pending, "the outbox cannot be read")?;
        if pending.is_empty() {
            return Some(());
        }
        let ids: Vec<_> = pending.iter().map(|pending| pending.id).collect();
        let (mut jobs, mut events) = (Vec::new(), Vec::new());
        for Pending { mut event, .. } in pending {
            let job = self.job(&mut event);
            let detail = Value::Object(event.detail.clone());
            match self.schemas.check(&event.detail_type, &detail) {
                Ok(()) => {
                    jobs.push(job);
                    events.push(event);
                }
                Err(error) => self.refuse(job, &event, &error.to_string()).await?,
            }
        }
        if !events.is_empty() {
            let puts = told(self.bus.put(&events).await, "the bus took no events")?;
            for ((job, event), put) in jobs.into_iter().zip(&events).zip(puts) {
                match put {
                    Put::Refused(because) => self.refuse(job, event, &because).await?,
                    Put::Accepted { event_id, verdicts } => {
                        let matched = verdicts.iter().filter(|verdict| verdict.matched);
                        let targets: Vec<_> =
                            matched.flat_map(|verdict| &verdict.targets).collect();
                        let log = async {
                            let (kind, rules) = (&*event.detail_type, verdicts.len());
                            let targets = targets.len();
                            tracing::info!(event_id, kind, rules, targets, "event published");
                        };
                        job.run(log).await;
                        for target in targets {
                            job.part(format!("deliver {target}"), SpanKind::Producer);
                        }
                        self.end(job, None);
                    }
                }
            }
        }
        told(self.outbox.published(&ids).await, "the outbox cannot be written")
    }

    /// The work of publishing an event, which from now on tells that work as its cause.
    fn job(&self, event: &mut NewEvent) -> Job {
        let none = Map::new();
        let job = Job::caused_by(&self.telemetry, embedded::get(&event.detail).unwrap_or(&none))
            .attribute("messaging.system", "aws_eventbridge")
            .attribute("messaging.destination.name", self.bus.name().to_owned())
            .attribute("messaging.operation.type", "send")
            .attribute("event.type", event.detail_type.clone());
        for id in ["order_id", "user_id"] {
            if let Some(value) = event.detail.get(id).and_then(Value::as_str) {
                job.context().annotate_all(id, value.to_owned());
            }
        }
        let mut fields = MessageFields::default();
        job.context().inject(&mut fields, &TrustPolicy::message());
        embedded::insert(&mut event.detail, &fields);
        event.trace_header = fields.trace_header().map(str::to_owned);
        job
    }

    fn end(&self, job: Job, error: Option<&str>) {
        job.end(format!("{} publish", self.bus.name()), SpanKind::Producer, error);
    }

    /// Puts an event aside that no bus will take, so that others are not held up.
    async fn refuse(&self, job: Job, event: &NewEvent, because: &str) -> Option<()> {
        let body = serde_json::to_string(event).unwrap_or_default();
        let message = NewMessage::new(body).attribute("reason", because);
        let kind = &*event.detail_type;
        job.run(async { tracing::error!(kind, because, "event refused") }).await;
        self.end(job, Some("refused"));
        told(self.refused.send(&message).await, "a refused event cannot be put aside").map(drop)
    }
}

/// The value; an error is told, as `what`.
fn told<T, E: std::error::Error>(result: Result<T, E>, what: &str) -> Option<T> {
    result
        .inspect_err(|error| {
            let cause = error.source().map(ToString::to_string);
            tracing::warn!(%error, cause, "{what}");
        })
        .ok()
}
