//! Queues, streams and outboxes of a process, and the loops that serve them.

mod carrier;
mod consume;
mod read;
mod relay;
mod time;

use std::path::Path;
use std::sync::Arc;

use shop_contracts::Topology;
use shop_store::{Broker, SqliteQueue, SqliteStream};

pub(super) use self::consume::{HandleError, consume};
pub(super) use self::read::read;
pub(super) use self::relay::relay;
pub(super) use self::time::WallTime;
use super::StartError;

/// The queue that feeds the payment processor.
pub(crate) const PAYMENT_QUEUE: &str = "cloudcafe-payment-queue.fifo";

/// The file of the broker, under the data folder.
pub(crate) const FILE: &str = "messaging.db";

/// Opens the broker of the data folder `data`.
pub(crate) fn open(data: &Path) -> Result<Broker, StartError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        StartError::new("messaging cannot be started".to_owned(), error)
    };
    let topology = Topology::embedded().map_err(|error| failed(error.into()))?;
    let time = Arc::new(WallTime::default());
    Broker::open(&data.join(FILE), topology, time).map_err(|error| failed(error.into()))
}

pub(super) fn queue(broker: &Broker, name: &str) -> Result<SqliteQueue, StartError> {
    broker.queue(name).ok_or_else(|| missing(name))
}

pub(super) fn stream(broker: &Broker, name: &str) -> Result<SqliteStream, StartError> {
    broker.stream(name).ok_or_else(|| missing(name))
}

/// The queue before the target `id` outside of the broker, such as a workflow.
pub(super) fn outside(broker: &Broker, id: &str) -> Result<SqliteQueue, StartError> {
    let mut outside = broker.outside();
    let found = outside.find(|(target, _)| target.id == id).map(|(_, queue)| queue);
    found.ok_or_else(|| missing(id))
}

fn missing(name: &str) -> StartError {
    StartError::new("the contracts are incomplete".to_owned(), format!("they have no {name}"))
}
