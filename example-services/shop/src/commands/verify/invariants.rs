use std::path::Path;

use shop_domain::port::messaging::Queue;

use super::{finding, hold};
use crate::client::Fault;
use crate::finding::Found;
use crate::running::messaging;

/// What must hold of the whole shop whenever it is calm.
pub(in super::super) async fn invariants(data: &Path) -> Found {
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
