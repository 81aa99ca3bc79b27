use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use obs_core::telemetry::Telemetry;
use shop_contracts::schema::Schemas;
use shop_domain::port::messaging::{Message, Queue};
use shop_domain::port::{Cache, Outbox};
use shop_kit::announce::Announcer;
use shop_kit::cached::Cached;
use shop_kit::messaging::{self as kit, Consumer, HandleError, Relay, consume, watch};
use shop_kit::stress::Turns;
use shop_kit::upstream::Upstream;
use shop_store::{MemoryCache, RedisCache};
use shop_workflow::Engine;

use super::super::background::Background;
use super::super::{Addresses, Plan, StartError, messaging};
use super::Shared;
use crate::name::Name;
use crate::settings::Settings;

/// The most entries of a cache in memory.
const CACHE_CAPACITY: usize = 10_000;

/// What a service is put together from.
pub(super) struct Parts<'a> {
    pub(super) plan: &'a Plan,
    pub(super) settings: &'a Settings,
    pub(super) addresses: &'a Addresses,
    pub(super) name: Name,
    pub(super) telemetry: Telemetry,
    pub(super) background: &'a mut Background,
    pub(super) shared: &'a Shared<'a>,
}

impl Parts<'_> {
    pub(super) fn queue(&self, name: &str) -> Result<Arc<dyn Queue>, StartError> {
        messaging::queue(&self.shared.broker, name)
    }

    /// The executions of the order workflow.
    pub(super) fn workflow(&self) -> Result<Engine, StartError> {
        let missing = || self.failed()("the workflow was not opened");
        self.shared.workflow.clone().ok_or_else(missing)
    }

    /// Works on the messages of `queue` by `handle`, as long as the process runs; tells how full
    /// the queue is, and the dead-letter queue `dead` behind it.
    pub(super) fn consume<F>(
        &mut self,
        queue: Arc<dyn Queue>,
        dead: Option<&str>,
        handle: impl Fn(Message) -> F + Send + Sync + 'static,
    ) -> Result<(), StartError>
    where
        F: Future<Output = Result<(), HandleError>> + Send + 'static,
    {
        let mut watched = vec![Arc::clone(&queue)];
        if let Some(dead) = dead {
            watched.push(self.queue(dead)?);
        }
        let consumer = Consumer::new(queue, &self.telemetry)?;
        let (work, look) = (self.background.stopped(), self.background.stopped());
        self.background.spawn(consume(consumer, work, handle));
        self.background.spawn(watch(watched, self.telemetry.clone(), look));
        Ok(())
    }

    /// Puts the events of an outbox on the bus, as long as the process runs.
    pub(super) fn relay(&mut self, outbox: Arc<dyn Outbox>) -> Result<(), StartError> {
        let relay = Relay {
            outbox,
            bus: Arc::new(self.shared.broker.bus()),
            schemas: Arc::new(Schemas::embedded().map_err(self.failed())?),
            refused: self.queue(messaging::REFUSED_EVENTS)?,
            telemetry: self.telemetry.clone(),
        };
        let stop = self.background.stopped();
        self.background.spawn(kit::relay(relay, stop));
        Ok(())
    }

    pub(super) fn upstream(&self, name: Name) -> Result<Upstream, StartError> {
        Ok(Upstream::new(name.as_str(), self.addresses.of(name)?, &self.telemetry)?)
    }

    /// The file of the service's own store.
    pub(super) fn file(&self) -> PathBuf {
        self.plan.data.join(format!("{}.db", self.name))
    }

    pub(super) fn failed<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        &self,
    ) -> impl FnOnce(E) -> StartError + use<E> {
        StartError::service(self.name)
    }

    /// A cache for documents under `prefix`: on the Redis of the settings, or in memory.
    pub(super) fn cached(&self, prefix: &'static str, ttl: Duration) -> Result<Cached, StartError> {
        let telemetry = &self.telemetry;
        let cache: Arc<dyn Cache> = match &self.settings.redis_url {
            Some(url) => {
                Arc::new(RedisCache::new(url, telemetry.controls(), telemetry.recorder())?)
            }
            None => Arc::new(MemoryCache::new(CACHE_CAPACITY, telemetry.clock().clone())),
        };
        Ok(Cached::new(cache, prefix, ttl, telemetry.recorder()))
    }

    pub(super) fn announcer(&self, source: &'static str) -> Announcer {
        let (clock, ids) = (self.telemetry.clock().clone(), self.telemetry.ids().clone());
        Announcer::new(source, clock, ids)
    }

    pub(super) fn turns(&self) -> Turns {
        Turns::new(self.telemetry.clock().clone())
    }
}
