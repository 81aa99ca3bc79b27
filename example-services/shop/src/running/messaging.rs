//! The queues, topics, bus and streams of a data folder, as `contracts/` has them.

use std::path::Path;
use std::sync::Arc;

use obs_core::clock::Clock;
use shop_contracts::Topology;
use shop_domain::port::messaging::{Queue, Stream, Topic};
use shop_kit::time::SystemTime;
use shop_store::Broker;

use super::StartError;

/// The file of the broker, under the data folder.
const FILE: &str = "messaging.db";

/// Where events go that no bus takes.
pub(super) const REFUSED_EVENTS: &str = "shopfast-event-dlq";

/// Opens the broker of the data folder `data`.
pub(crate) fn open(data: &Path) -> Result<Broker, StartError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        StartError::new("messaging cannot be started".to_owned(), error)
    };
    let topology = Topology::embedded().map_err(|error| failed(error.into()))?;
    Broker::open(&data.join(FILE), topology, time()).map_err(|error| failed(error.into()))
}

/// The time of the system.
pub(super) fn time() -> Arc<SystemTime> {
    Arc::new(SystemTime::new(Clock::system()))
}

pub(super) fn queue(broker: &Broker, name: &str) -> Result<Arc<dyn Queue>, StartError> {
    let queue = broker.queue(name).ok_or_else(|| missing(name))?;
    Ok(Arc::new(queue))
}

pub(super) fn topic(broker: &Broker, name: &str) -> Result<Arc<dyn Topic>, StartError> {
    let topic = broker.topic(name).ok_or_else(|| missing(name))?;
    Ok(Arc::new(topic))
}

pub(super) fn stream(broker: &Broker, name: &str) -> Result<Arc<dyn Stream>, StartError> {
    let stream = broker.stream(name).ok_or_else(|| missing(name))?;
    Ok(Arc::new(stream))
}

/// The queue before the target `id` outside of the broker, such as a workflow.
pub(super) fn outside(broker: &Broker, id: &str) -> Result<Arc<dyn Queue>, StartError> {
    let mut outside = broker.outside();
    let found = outside.find(|(target, _)| target.id == id).map(|(_, queue)| queue);
    Ok(Arc::new(found.ok_or_else(|| missing(id))?))
}

fn missing(name: &str) -> StartError {
    StartError::new("the contracts are incomplete".to_owned(), format!("they have no {name}"))
}
