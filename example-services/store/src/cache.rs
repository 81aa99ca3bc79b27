//! A cache in the memory of this process.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use obs_core::clock::{Clock, Instant};
use quick_cache::sync::Cache as Entries;
use shop_domain::port::{Cache, StoreFuture};

/// Copies in the memory of this process, each for its time; cheap to clone.
///
/// Holds a bounded number of entries; which of them goes when it is full is decided by S3-FIFO.
#[derive(Clone)]
pub struct MemoryCache {
    entries: Arc<Entries<String, Entry>>,
    clock: Clock,
}

#[derive(Clone)]
struct Entry {
    value: Bytes,
    /// Until when, excluding.
    until: Instant,
}

impl MemoryCache {
    /// A cache of at most `capacity` entries.
    #[must_use]
    pub fn new(capacity: usize, clock: Clock) -> Self {
        Self { entries: Arc::new(Entries::new(capacity)), clock }
    }
}

impl Cache for MemoryCache {
    fn get<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<Bytes>> {
        let found = self.entries.get(key).filter(|entry| self.clock.now() < entry.until);
        Box::pin(std::future::ready(Ok(found.map(|entry| entry.value))))
    }

    fn set<'a>(&'a self, key: &'a str, value: Bytes, ttl: Duration) -> StoreFuture<'a, ()> {
        let until = self.clock.now() + ttl;
        self.entries.insert(key.to_owned(), Entry { value, until });
        Box::pin(std::future::ready(Ok(())))
    }

    fn remove<'a>(&'a self, key: &'a str) -> StoreFuture<'a, ()> {
        self.entries.remove(key);
        Box::pin(std::future::ready(Ok(())))
    }
}

impl fmt::Debug for MemoryCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCache").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use obs_core::clock::ManualClock;

    use super::*;

    #[tokio::test]
    async fn an_entry_is_found_until_its_time_is_over() {
        let time = ManualClock::default();
        let cache = MemoryCache::new(10, time.clock());
        let ttl = Duration::from_secs(300);
        cache.set("k", Bytes::from_static(b"v"), ttl).await.unwrap();
        time.advance(ttl - Duration::from_millis(1));
        assert_eq!(cache.get("k").await.unwrap().unwrap(), "v");
        time.advance(Duration::from_millis(1));
        assert_eq!(cache.get("k").await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_full_cache_stays_within_its_bound() {
        let cache = MemoryCache::new(10, ManualClock::default().clock());
        for number in 0..1_000 {
            let value = Bytes::from_static(b"v");
            cache.set(&format!("k{number}"), value, Duration::from_secs(1)).await.unwrap();
        }
        assert!(cache.entries.len() <= 10, "{cache:?}");
    }
}
