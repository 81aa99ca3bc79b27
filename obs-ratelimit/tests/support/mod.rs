//! What the tests share: a store with faults, and requests.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test target uses its part"
)]

pub mod conformance;
#[cfg(feature = "real-parts")]
pub mod proxy;

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use obs_core::metric::{Counter, CounterCell, Descriptor, Gauge, Histogram, Label, Recorder};

use obs_ratelimit::{
    GiveBack, Grant, Hold, MemoryStore, Store, StoreError, StoreErrorKind, StoreFuture, StoreKey,
    Take,
};

/// A request of a tenant.
pub fn request(tenant: &str) -> http::request::Parts {
    let request = http::Request::get("/").header("x-tenant-id", tenant).body(()).unwrap();
    request.into_parts().0
}

/// A memory store whose answers can be late, wrong or missing.
#[derive(Debug)]
pub struct Faulty {
    inner: MemoryStore,
    mood: Mutex<Mood>,
    takes: AtomicU64,
    backs: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
enum Mood {
    Well,
    Late(Duration),
    Failing(StoreErrorKind),
    Hanging,
    Panicking,
}

impl Faulty {
    pub fn new(inner: MemoryStore) -> Self {
        Self {
            inner,
            mood: Mutex::new(Mood::Well),
            takes: AtomicU64::new(0),
            backs: AtomicU64::new(0),
        }
    }

    fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub fn heal(&self) {
        self.set(Mood::Well);
    }

    pub fn answer_after(&self, time: Duration) {
        self.set(Mood::Late(time));
    }

    pub fn fail(&self, kind: StoreErrorKind) {
        self.set(Mood::Failing(kind));
    }

    pub fn hang(&self) {
        self.set(Mood::Hanging);
    }

    pub fn panic(&self) {
        self.set(Mood::Panicking);
    }

    /// Tokens that were given back.
    pub fn backs(&self) -> u64 {
        self.backs.load(Ordering::Relaxed)
    }

    pub fn takes(&self) -> u64 {
        self.takes.load(Ordering::Relaxed)
    }
}

impl Faulty {
    fn in_this_mood(
        &self,
        answer: impl Future<Output = Result<Grant, StoreError>> + Send + 'static,
    ) -> StoreFuture<Grant> {
        let mood = *self.mood.lock().unwrap();
        Box::pin(async move {
            match mood {
                Mood::Well => answer.await,
                Mood::Late(time) => {
                    let grant = answer.await;
                    tokio::time::sleep(time).await;
                    grant
                }
                Mood::Failing(kind) => Err(StoreError::new(kind)),
                Mood::Hanging => std::future::pending().await,
                Mood::Panicking => panic!("a store that panics"),
            }
        })
    }
}

impl Store for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn take(&self, take: Take) -> StoreFuture<Grant> {
        self.takes.fetch_add(1, Ordering::Relaxed);
        let inner = self.inner.clone();
        self.in_this_mood(async move { inner.take(take).await })
    }

    fn give_back(&self, back: GiveBack) -> StoreFuture<()> {
        self.backs.fetch_add(back.tokens, Ordering::Relaxed);
        self.inner.give_back(back)
    }

    fn hold(&self, hold: Hold) -> StoreFuture<Grant> {
        self.takes.fetch_add(1, Ordering::Relaxed);
        let inner = self.inner.clone();
        self.in_this_mood(async move { inner.hold(hold).await })
    }

    fn reset(&self, key: StoreKey) -> StoreFuture<()> {
        self.inner.reset(key)
    }
}

/// A recorder whose counters can be read, by name and labels.
#[derive(Debug, Default)]
pub struct Counted(Mutex<HashMap<String, Arc<Count>>>);

#[derive(Debug, Default)]
struct Count(AtomicU64);

impl CounterCell for Count {
    fn add(&self, value: u64) {
        self.0.fetch_add(value, Ordering::Relaxed);
    }
}

impl Counted {
    /// The count of the series with these label values.
    pub fn count(&self, name: &str, values: &[&str]) -> u64 {
        let series = format!("{name} {}", values.join(" "));
        self.0.lock().unwrap().get(&series).map_or(0, |count| count.0.load(Ordering::Relaxed))
    }

    /// How many series there are.
    pub fn series(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

impl Recorder for Counted {
    fn counter(&self, metric: &Descriptor, labels: &[Label<'_>]) -> Counter {
        let values: Vec<&str> = labels.iter().map(|(_, value)| *value).collect();
        let series = format!("{} {}", metric.name, values.join(" "));
        let count = self.0.lock().unwrap().entry(series).or_default().clone();
        Counter::new(count)
    }

    fn gauge(&self, _: &Descriptor, _: &[Label<'_>]) -> Gauge {
        Gauge::disabled()
    }

    fn histogram(&self, _: &Descriptor, _: &[Label<'_>]) -> Histogram {
        Histogram::disabled()
    }
}
