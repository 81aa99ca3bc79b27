use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use obs_core::telemetry::Telemetry;
use shop_domain::port::Cache;
use shop_kit::announce::Announcer;
use shop_kit::cached::Cached;
use shop_kit::stress::Turns;
use shop_kit::upstream::Upstream;
use shop_store::{Broker, MemoryCache, RedisCache};
use tokio::task::JoinHandle;

use super::super::{Addresses, Plan, StartError};
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
    pub(super) broker: &'a Broker,
    pub(super) background: &'a mut Vec<JoinHandle<()>>,
}

impl Parts<'_> {
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
