use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use shop_domain::order::Status;

use super::evidence::Evidence;
use super::{Check, hold};
use crate::client::{Client, Fault};
use crate::record::Span;
use crate::run_file::url;

/// How an order ended, as the stores of the services tell.
#[derive(Debug)]
pub(super) struct Ends {
    order: Value,
    status: Option<Status>,
    ended_at_ms: u64,
    outcomes: Vec<String>,
    templates: Vec<String>,
}

impl Ends {
    pub(super) async fn of(data: &Path, id: &str) -> Result<Self, Fault> {
        let orders = Client::new(&url(data, "order")?);
        let order = orders.get(&format!("/orders/{id}")).await?;
        let history = orders.get(&format!("/orders/{id}/history")).await?;
        let steps = history["history"].as_array().and_then(|steps| steps.last());
        let log = Client::new(&url(data, "payment")?).get(&format!("/transactions/{id}")).await?;
        let path = format!("/outbox?order_id={id}");
        let sent = Client::new(&url(data, "notification")?).get(&path).await?;
        Ok(Self {
            status: order["status"].as_str().and_then(Status::parse),
            ended_at_ms: steps.and_then(|step| step["at_ms"].as_u64()).unwrap_or_default(),
            outcomes: texts(&log["transactions"], "outcome"),
            templates: texts(&sent["notifications"], "template"),
            order,
        })
    }

    /// What decides which hops the order has taken.
    pub(super) fn facts(&self, spans: &[Span], is_told: bool) -> Value {
        let placed = spans.iter().find(|span| span.metadata.contains_key("request.from_cart"));
        let from_cart = placed.is_some_and(|span| span.metadata["request.from_cart"] == true);
        json!({"status": self.order["status"], "from_cart": from_cart, "told": is_told})
    }

    pub(super) fn user_id(&self) -> &str {
        self.order["user_id"].as_str().unwrap_or_default()
    }

    /// From the first of its `spans` to its end, in milliseconds since 1970-01-01T00:00:00Z.
    pub(super) fn life(&self, spans: &[Span]) -> (u64, u64) {
        let created_ms = self.order["created_at_ms"].as_u64().unwrap_or_default();
        let first_ms = spans.iter().map(|span| span.start_ns / 1_000_000).min();
        (first_ms.map_or(created_ms, |ms| ms.min(created_ms)), self.ended_at_ms.max(created_ms))
    }

    pub(super) async fn checks(&self, evidence: &Evidence, id: &str) -> Result<Vec<Check>, Fault> {
        let status = self.status;
        let shipped = status == Some(Status::Shipped);
        let approved = self.outcomes.iter().filter(|outcome| *outcome == "approved").count();
        let distinct: BTreeSet<_> = self.templates.iter().collect();
        let (states, execution) = evidence.states(id).await?;
        let events = evidence.traced(id).map(|traced| traced.events.clone()).unwrap_or_default();
        let ends_as = if shipped { "SUCCEEDED" } else { "FAILED" };
        let left: &[&str] = if shipped {
            &["AwaitPayment", "Payment", "IsPaid", "Paid", "TakeFromShelf", "Ship", "Shipped"]
        } else {
            &["AwaitPayment", "Payment"]
        };
        let skipped: Vec<_> = left.iter().filter(|state| !states.contains(**state)).collect();
        let last = match status {
            Some(Status::Shipped) => "order.shipped".to_owned(),
            Some(status) => format!("order.updated {}", status.as_str()),
            None => String::new(),
        };
        Ok(vec![
            hold("it has come to an end", status.is_some_and(Status::is_final), || {
                format!("its status is {}", self.order["status"])
            }),
            hold(
                "it was charged once, if it was shipped",
                self.outcomes.len() <= 1 && (approved == 1) == shipped,
                || format!("{:?}", self.outcomes),
            ),
            hold(
                "its customer was told, each thing once, or it is known what could not be told",
                !(self.templates.is_empty() && evidence.is_told(id))
                    && distinct.len() == self.templates.len(),
                || format!("{:?}", self.templates),
            ),
            hold("its execution ended as it did", execution == ends_as, || execution.clone()),
            hold("its execution left no state out", skipped.is_empty(), || format!("{skipped:?}")),
            hold("its end is on the bus", events.contains(&last), || format!("{events:?}")),
        ])
    }
}

fn texts(list: &Value, member: &str) -> Vec<String> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|one| Some(one[member].as_str()?.to_owned())).collect()
}
