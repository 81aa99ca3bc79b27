//! Cache-aside: a copy if there is one, else the store's own answer, which is then copied.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use obs_core::context::RequestContext;
use obs_core::metric::{Counter, Descriptor, Recorder, Unit};
use serde::Serialize;
use serde::de::DeserializeOwned;
use shop_domain::port::Cache;

/// Reads that a cache answered.
pub static CACHE_HITS: Descriptor =
    Descriptor::new("CacheHits", Unit::Count, "Reads that the cache answered");

/// Reads that went to the store behind a cache.
pub static CACHE_MISSES: Descriptor =
    Descriptor::new("CacheMisses", Unit::Count, "Reads that the store behind the cache answered");

/// Documents of one kind, each kept in a cache for a while; cheap to clone.
///
/// Keys are `prefix:id`. A cache that fails is a cache that misses: the request goes on without.
#[derive(Clone)]
pub struct Cached {
    cache: Arc<dyn Cache>,
    prefix: &'static str,
    ttl: Duration,
    hits: Counter,
    misses: Counter,
}

impl Cached {
    /// Documents under `prefix`, kept for `ttl`; hits and misses are counted by `prefix`.
    #[must_use]
    pub fn new(
        cache: Arc<dyn Cache>,
        prefix: &'static str,
        ttl: Duration,
        recorder: &dyn Recorder,
    ) -> Self {
        let counter = |metric| recorder.counter(metric, &[("Cache", prefix)]);
        Self { cache, prefix, ttl, hits: counter(&CACHE_HITS), misses: counter(&CACHE_MISSES) }
    }

    /// The document `id`: the copy, or what `load` answers, which is then copied.
    ///
    /// Dropping the future copies nothing.
    ///
    /// # Errors
    /// Those of `load`.
    #[tracing::instrument(name = "cache.get", skip_all)]
    pub async fn get<T, E>(
        &self,
        id: &str,
        load: impl Future<Output = Result<Option<T>, E>>,
    ) -> Result<Option<T>, E>
    where
        T: Serialize + DeserializeOwned,
    {
        let key = self.key(id);
        // A copy that cannot be read, as of an older release, is no copy.
        let copy = self.cache.get(&key).await.ok().flatten();
        let copy = copy.and_then(|copy| serde_json::from_slice(&copy).ok());
        RequestContext::with_current(|context| {
            context.record("cache", if copy.is_some() { "hit" } else { "miss" });
        });
        if copy.is_some() {
            self.hits.add(1);
            return Ok(copy);
        }
        self.misses.add(1);
        let loaded = load.await?;
        if let Some(document) = &loaded
            && let Ok(bytes) = serde_json::to_vec(document)
        {
            // Without the copy the next read is a miss, nothing worse.
            let _ = self.cache.set(&key, Bytes::from(bytes), self.ttl).await;
        }
        Ok(loaded)
    }

    /// Forgets the copy of `id`, because the document has changed.
    ///
    /// When the cache fails, the old copy may be found until its time is over.
    pub async fn forget(&self, id: &str) {
        if let Err(error) = self.cache.remove(&self.key(id)).await {
            tracing::warn!(%error, "an old copy may be found until its time is over");
        }
    }

    fn key(&self, id: &str) -> String {
        format!("{}:{id}", self.prefix)
    }
}

impl fmt::Debug for Cached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
