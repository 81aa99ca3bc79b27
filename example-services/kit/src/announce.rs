//! Events about what a service has done, with the ids of the request that did it.

use obs_core::clock::Clock;
use obs_core::context::RequestContext;
use obs_core::id::IdGenerator;
use obs_core::propagate::TrustPolicy;
use obs_core::propagate::message::{MessageFields, embedded};
use serde_json::{Map, Value};
use shop_domain::port::messaging::NewEvent;

/// The version of every event's schema.
const SCHEMA_VERSION: u32 = 1;

/// Makes the events of one service; cheap to clone.
#[derive(Clone, Debug)]
pub struct Announcer {
    source: &'static str,
    clock: Clock,
    ids: IdGenerator,
}

impl Announcer {
    /// Events from `source`, such as `shopfast.order-service`.
    #[must_use]
    pub const fn new(source: &'static str, clock: Clock, ids: IdGenerator) -> Self {
        Self { source, clock, ids }
    }

    /// The event `detail_type` about `subject`, with `detail`.
    ///
    /// It gets `event_id`, `schema_version`, `subject`, and in `_trace` the ids of the current
    /// request, so that what it causes is part of the request's trace.
    #[must_use]
    pub fn event(
        &self,
        detail_type: &str,
        subject: &str,
        detail: impl IntoIterator<Item = (&'static str, Value)>,
    ) -> NewEvent {
        let detail = detail.into_iter().map(|(member, value)| (member.to_owned(), value));
        let mut detail: Map<String, Value> = detail.collect();
        let id = self.ids.correlation_id(&self.clock);
        detail.insert("event_id".to_owned(), id.as_str().into());
        detail.insert("schema_version".to_owned(), SCHEMA_VERSION.into());
        detail.insert("subject".to_owned(), subject.into());
        let mut fields = MessageFields::default();
        RequestContext::with_current(|context| {
            context.inject(&mut fields, &TrustPolicy::message());
        });
        embedded::insert(&mut detail, &fields);
        NewEvent {
            source: self.source.to_owned(),
            detail_type: detail_type.to_owned(),
            time_ms: self.clock.wall().unix_millis(),
            detail,
            trace_header: fields.trace_header().map(str::to_owned),
        }
    }
}

#[cfg(test)]
mod tests {
    use obs_core::environment::Environment;
    use obs_core::telemetry::Telemetry;

    use super::*;

    #[test]
    fn an_event_carries_the_ids_of_the_request_that_caused_it() {
        let telemetry =
            Telemetry::builder("order").environment(Environment::empty()).build().unwrap();
        let announcer =
            Announcer::new("shopfast.test", telemetry.clock().clone(), telemetry.ids().clone());
        let context = RequestContext::builder(&telemetry).build();
        let event = {
            let _entered = context.enter();
            announcer.event("order.created", "ord-1", [("total_minor", 5.into())])
        };
        let trace = &event.detail["_trace"];
        assert_eq!(trace["x-correlation-id"], context.correlation_id().as_str());
        assert!(trace["traceparent"].as_str().unwrap().contains(&context.trace_id().to_string()));
        assert!(event.trace_header.is_some());
        assert_eq!(
            (&event.detail["subject"], &event.detail["total_minor"]),
            (&"ord-1".into(), &5.into())
        );
    }
}
