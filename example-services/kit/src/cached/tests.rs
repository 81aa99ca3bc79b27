use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Mutex;

use obs_core::metric::disabled;
use shop_domain::port::{StoreError, StoreErrorKind, StoreFuture};

use super::*;

/// What was set, with its time to live; fails if it is told to.
#[derive(Debug, Default)]
struct Fake {
    entries: Mutex<HashMap<String, (Bytes, Duration)>>,
    broken: bool,
}

impl Fake {
    fn answer<T>(&self, answer: T) -> Result<T, StoreError> {
        if self.broken {
            Err(StoreError::new(StoreErrorKind::Unavailable, "fake"))
        } else {
            Ok(answer)
        }
    }
}

impl Cache for Fake {
    fn get<'a>(&'a self, key: &'a str) -> StoreFuture<'a, Option<Bytes>> {
        let found = self.entries.lock().unwrap().get(key).map(|(value, _)| value.clone());
        Box::pin(std::future::ready(self.answer(found)))
    }

    fn set<'a>(&'a self, key: &'a str, value: Bytes, ttl: Duration) -> StoreFuture<'a, ()> {
        self.entries.lock().unwrap().insert(key.to_owned(), (value, ttl));
        Box::pin(std::future::ready(self.answer(())))
    }

    fn remove<'a>(&'a self, key: &'a str) -> StoreFuture<'a, ()> {
        self.entries.lock().unwrap().remove(key);
        Box::pin(std::future::ready(self.answer(())))
    }
}

const TTL: Duration = Duration::from_secs(300);

async fn read(cached: &Cached, stored: u32) -> u32 {
    let load = async { Ok::<_, Infallible>(Some(stored)) };
    cached.get("7", load).await.unwrap().unwrap()
}

#[tokio::test]
async fn the_second_read_is_the_copy_until_it_is_forgotten() {
    let fake = Arc::new(Fake::default());
    let cached = Cached::new(fake.clone(), "product", TTL, disabled());
    assert_eq!(read(&cached, 1).await, 1);
    assert_eq!(read(&cached, 2).await, 1);
    assert_eq!(fake.entries.lock().unwrap()["product:7"].1, TTL);
    cached.forget("7").await;
    assert_eq!(read(&cached, 3).await, 3);
}

#[tokio::test]
async fn what_is_not_there_is_not_copied() {
    let fake = Arc::new(Fake::default());
    let cached = Cached::new(fake.clone(), "product", TTL, disabled());
    let nothing = async { Ok::<Option<u32>, Infallible>(None) };
    assert_eq!(cached.get("7", nothing).await.unwrap(), None);
    assert!(fake.entries.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_broken_cache_costs_nothing_but_the_copy() {
    let cached =
        Cached::new(Arc::new(Fake { broken: true, ..Fake::default() }), "product", TTL, disabled());
    assert_eq!(read(&cached, 1).await, 1);
    assert_eq!(read(&cached, 2).await, 2);
    cached.forget("7").await;
}

#[tokio::test]
async fn a_copy_that_cannot_be_read_is_replaced() {
    let fake = Arc::new(Fake::default());
    let cached = Cached::new(fake.clone(), "product", TTL, disabled());
    fake.set("product:7", Bytes::from_static(b"not a number"), TTL).await.unwrap();
    assert_eq!(read(&cached, 2).await, 2);
    assert_eq!(read(&cached, 3).await, 2);
}
