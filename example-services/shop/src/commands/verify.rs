use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use shop_domain::order::Status;
use shop_domain::port::messaging::Queue;

use super::order::Kept;
use crate::client::{Client, Fault};
use crate::finding::{Finding, Found};
use crate::record::lines;
use crate::run_file::url;
use crate::running::messaging;

/// What was looked at, and what is wrong with it, if anything.
type Check = (String, Result<(), String>);

fn finding(subject: &str, checks: Vec<Check>) -> Finding {
    let mut text = String::new();
    for (what, result) in &checks {
        match result {
            Ok(()) => text.push_str(&format!("  ok    {what}\n")),
            Err(because) => text.push_str(&format!("  FAIL  {what}: {because}\n")),
        }
    }
    let good = checks.iter().all(|(_, result)| result.is_ok());
    let list: Vec<Value> = checks
        .into_iter()
        .map(|(what, result)| json!({"check": what, "ok": result.is_ok(), "because": result.err()}))
        .collect();
    Finding { good, json: json!({"subject": subject, "ok": good, "checks": list}), text }
}

fn hold(what: impl Into<String>, holds: bool, because: impl FnOnce() -> String) -> Check {
    (what.into(), if holds { Ok(()) } else { Err(because()) })
}

/// The spans without which the walk of an order is not complete: service, how its name begins,
/// and whether it is part of an order that was not shipped, too.
const HOPS: [(&str, &str, bool); 16] = [
    ("gateway", "POST ", true),
    ("order", "POST /orders", true),
    ("inventory", "POST /inventory/reserve", true),
    ("order", "order.accept", true),
    ("order", "shopfast-events publish", true),
    ("order", "process order-workflow", true),
    ("order", "process shopfast-order-queue", true),
    ("payment", "process cloudcafe-payment-queue.fifo", true),
    ("payment", "payment.fraud_score", true),
    ("payment", "charge", true),
    ("notification", "process shopfast-notification-queue", true),
    ("inventory", "POST /inventory/confirm", false),
    ("inventory", "shopfast-events publish", false),
    ("analytics", "process shopfast-inventory-queue", false),
    ("loyalty", "process shopfast-loyalty-queue", false),
    ("shipping", "POST /shipments", false),
];

/// Whether every hop of an order's walk left its span, every span has its parent, and every line
/// and span has the order's ids.
pub(super) async fn order(data: &Path, id: &str) -> Found {
    let orders = Client::new(&url(data, "order")?);
    let order = orders.get(&format!("/orders/{id}")).await?;
    let status = order["status"].as_str().and_then(Status::parse);
    let kept = Kept::find(data, id)?;
    let mut checks =
        vec![hold("it has come to an end", status.is_some_and(Status::is_final), || {
            format!("its status is {}", order["status"])
        })];
    let shipped = status == Some(Status::Shipped);
    for (service, name, always) in HOPS {
        if always || shipped {
            let is_there =
                kept.spans.iter().any(|s| s.service == service && s.name.starts_with(name));
            checks.push(hold(format!("{service}: {name}"), is_there, || "no such span".to_owned()));
        }
    }
    if !shipped {
        let released = kept.spans.iter().any(|span| span.name == "POST /inventory/release");
        checks.push(hold("its stock was given back", released, || "no such span".to_owned()));
    }
    checks.extend(belongs_together(&kept));
    checks.push(charged_once(data, id, shipped).await?);
    checks.push(told_once(data, id).await?);
    Ok(finding(id, checks))
}

/// No span without its parent, no line with another trace or correlation id.
fn belongs_together(kept: &Kept) -> Vec<Check> {
    let ids: BTreeSet<&str> = kept.spans.iter().map(|span| span.span_id.as_str()).collect();
    let is_orphan = |parent: &Option<String>| parent.as_deref().is_none_or(|id| !ids.contains(id));
    let orphans: Vec<_> =
        kept.spans.iter().filter(|span| is_orphan(&span.parent_span_id)).collect();
    let one = |key: &'static str| {
        let values: BTreeSet<_> = kept.lines.iter().map(|line| lines::text(line, key)).collect();
        hold(format!("all lines have one {key}"), values.len() == 1, || format!("{values:?}"))
    };
    let unknown: Vec<_> = kept
        .lines
        .iter()
        .map(|line| lines::text(line, "span_id"))
        .filter(|id| !id.is_empty() && !ids.contains(id))
        .collect();
    vec![
        hold("every span but the first has its parent", orphans.len() == 1, || {
            let names: Vec<_> = orphans.iter().map(|span| span.name.as_str()).collect();
            format!("{} have none: {names:?}", orphans.len())
        }),
        one("correlation_id"),
        one("trace_id"),
        hold("every line names a span that is there", unknown.is_empty(), || {
            format!("{unknown:?}")
        }),
    ]
}

async fn charged_once(data: &Path, id: &str, shipped: bool) -> Result<Check, Fault> {
    let log = Client::new(&url(data, "payment")?).get(&format!("/transactions/{id}")).await?;
    let outcomes: Vec<_> = log["transactions"]
        .as_array()
        .map(|all| all.iter().filter_map(|one| one["outcome"].as_str()).collect())
        .unwrap_or_default();
    let approved = outcomes.iter().filter(|outcome| **outcome == "approved").count();
    let holds = outcomes.len() == 1 && (approved == 1) == shipped;
    Ok(hold("it was charged once, if it was shipped", holds, || format!("{outcomes:?}")))
}

async fn told_once(data: &Path, id: &str) -> Result<Check, Fault> {
    let path = format!("/outbox?order_id={id}");
    let sent = Client::new(&url(data, "notification")?).get(&path).await?;
    let templates: Vec<_> = sent["notifications"]
        .as_array()
        .map(|all| all.iter().filter_map(|one| one["template"].as_str()).collect())
        .unwrap_or_default();
    let distinct: BTreeSet<_> = templates.iter().collect();
    let holds = !templates.is_empty() && distinct.len() == templates.len();
    Ok(hold("its customer was told, each thing once", holds, || format!("{templates:?}")))
}

/// What must hold of the whole shop whenever it is calm.
pub(super) async fn invariants(data: &Path) -> Found {
    let stock = stock(data)?;
    let (charges, approved, orders) = (charges(data)?, approved(data)?, statuses(data)?);
    let mut checks = vec![
        hold("stock is never negative, and never less than is kept", stock.0 == 0, || {
            format!("{} products", stock.0)
        }),
        hold("what is kept is the sum of the reservations", stock.1 == 0, || {
            format!("{} products", stock.1)
        }),
        hold("no order was charged twice", charges == 0, || format!("{charges} orders")),
    ];
    let paid = orders.iter().filter(|(status, _)| {
        matches!(status.as_str(), "PAID" | "SHIPPING" | "SHIPPED" | "REJECTED_STOCK")
    });
    let paid: u64 = paid.map(|(_, count)| count).sum();
    checks.push(hold("every paid order has its charge", approved == paid, || {
        format!("{paid} orders are paid, {approved} charges approved")
    }));
    let broker = messaging::open(data)?;
    let mut left = Vec::new();
    for queue in broker.queues() {
        let (depth, name) = (queue.depth().await?, queue.name().to_owned());
        if depth.total() > 0 && !name.contains("-dlq") {
            left.push(format!("{name}: {}", depth.total()));
        }
    }
    checks.push(hold("no message is left, but in dead-letter queues", left.is_empty(), || {
        left.join(", ")
    }));
    for service in ["order", "inventory"] {
        let waiting = shop_store::Inspect::outbox(&data.join(format!("{service}.db")))?;
        checks.push(hold(format!("the outbox of {service} is empty"), waiting == 0, || {
            format!("{waiting} events")
        }));
    }
    Ok(finding("invariants", checks))
}

fn stock(data: &Path) -> Result<(u64, u64), Fault> {
    Ok(shop_store::Inspect::stock(&data.join("inventory.db"))?)
}

fn charges(data: &Path) -> Result<u64, Fault> {
    Ok(shop_store::Inspect::double_charges(&data.join("payment.db"))?)
}

fn approved(data: &Path) -> Result<u64, Fault> {
    Ok(shop_store::Inspect::approved(&data.join("payment.db"))?)
}

fn statuses(data: &Path) -> Result<Vec<(String, u64)>, Fault> {
    Ok(shop_store::Inspect::statuses(&data.join("order.db"))?)
}
