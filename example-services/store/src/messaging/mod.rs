//! Queues, topics, a bus and streams on one SQLite file, with the semantics of SQS, SNS,
//! EventBridge and Kinesis.
//!
//! What an operation leads to is written in one transaction: an event that is on the bus is in the
//! queues of all its targets. Who waits for messages is woken once they are committed, also in
//! another process that has the file open ([`Bells`]).

mod bell;
mod bus;
mod check;
mod delivery;
mod others;
mod queue;
mod row;
mod schema;
mod stream;
mod topic;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use shop_contracts::Topology;
use shop_contracts::topology::{DeadLetter, QueueSpec, Service, TargetSpec};
use shop_domain::port::messaging::MAX_VISIBILITY;
use shop_domain::port::{StoreError, Time};

pub use self::bell::{Bells, Listener};
pub use self::bus::SqliteBus;
pub use self::queue::SqliteQueue;
pub use self::stream::SqliteStream;
pub use self::topic::SqliteTopic;
use crate::sqlite::Database;

/// The queues, topics, bus and streams of a [`Topology`]; cheap to clone.
///
/// Several processes may open the same file with the same topology.
#[derive(Clone)]
pub struct Broker(Arc<Shared>);

struct Shared {
    database: Database,
    time: Arc<dyn Time>,
    topology: Topology,
    bells: Bells,
}

impl Broker {
    /// Opens or creates the file at `path`.
    ///
    /// # Errors
    /// When it cannot be opened or is not ours.
    pub fn open(
        path: &Path,
        mut topology: Topology,
        time: Arc<dyn Time>,
    ) -> Result<Self, StoreError> {
        let database = Database::open(path, schema::MIGRATIONS)?;
        let pumped: Vec<_> = pumped(&topology).map(|(rule, target)| target.pump(rule)).collect();
        topology.queues.extend(pumped);
        let names = topology.queues.iter().map(|queue| queue.name.clone());
        let names = names.chain(topology.streams.iter().map(|stream| stream.name.clone()));
        let bells = Bells::open(path, names);
        Ok(Self(Arc::new(Shared { database, time, topology, bells })))
    }

    /// The queue of this name.
    #[must_use]
    pub fn queue(&self, name: &str) -> Option<SqliteQueue> {
        let at = self.0.topology.queues.iter().position(|queue| queue.name == name)?;
        Some(SqliteQueue::new(Arc::clone(&self.0), at))
    }

    /// All queues that have a name of their own.
    pub fn queues(&self) -> impl Iterator<Item = SqliteQueue> + '_ {
        let named = self.0.topology.queues.iter().filter(|queue| !queue.name.contains('/'));
        named.filter_map(|queue| self.queue(&queue.name))
    }

    /// The topic of this name.
    #[must_use]
    pub fn topic(&self, name: &str) -> Option<SqliteTopic> {
        let at = self.0.topology.topics.iter().position(|topic| topic.name == name)?;
        Some(SqliteTopic::new(Arc::clone(&self.0), at))
    }

    /// The bus.
    #[must_use]
    pub fn bus(&self) -> SqliteBus {
        SqliteBus::new(Arc::clone(&self.0))
    }

    /// The stream of this name.
    #[must_use]
    pub fn stream(&self, name: &str) -> Option<SqliteStream> {
        let at = self.0.topology.streams.iter().position(|stream| stream.name == name)?;
        Some(SqliteStream::new(Arc::clone(&self.0), at))
    }

    /// The targets outside of this file, such as workflows: what is for them waits in a queue, from
    /// which somebody has to hand it over.
    pub fn outside(&self) -> impl Iterator<Item = (&TargetSpec, SqliteQueue)> + '_ {
        pumped(&self.0.topology)
            .filter_map(|(rule, target)| Some((target, self.queue(&target.pump(rule).name)?)))
    }

    /// The database, for health checks.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.0.database
    }
}

fn pumped(topology: &Topology) -> impl Iterator<Item = (&str, &TargetSpec)> {
    let targets = topology
        .bus
        .rules
        .iter()
        .flat_map(|rule| rule.targets.iter().map(move |target| (rule.name.as_str(), target)));
    targets
        .filter(|(_, target)| matches!(target.arn.service, Service::Workflow | Service::LogGroup))
}

/// The queue that stands before a target outside of the file.
trait Pump {
    fn pump(&self, rule: &str) -> QueueSpec;
}

impl Pump for TargetSpec {
    fn pump(&self, rule: &str) -> QueueSpec {
        QueueSpec {
            // No queue of a topology has a slash in its name.
            name: format!("{rule}/{}", self.id),
            visibility: std::time::Duration::from_secs(10),
            delay: std::time::Duration::ZERO,
            // EventBridge tries for a day.
            retention: MAX_VISIBILITY * 2,
            dead_letter: self.dead_letter.clone().map(|queue| DeadLetter {
                queue,
                max_receives: self.max_retries.saturating_add(1),
            }),
        }
    }
}

impl Shared {
    fn now_ms(&self) -> u64 {
        self.time.now_ms()
    }
}

impl fmt::Debug for Broker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broker").finish_non_exhaustive()
    }
}
