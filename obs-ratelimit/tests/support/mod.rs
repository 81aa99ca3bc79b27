//! What the tests share: a store with faults, and requests.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test target uses its part"
)]

use std::sync::Mutex;
pub mod conformance;
#[cfg(feature = "real-parts")]
pub mod proxy;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use obs_ratelimit::{
    GiveBack, Grant, MemoryStore, Store, StoreError, StoreErrorKind, StoreFuture, Take,
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
        Self { inner, mood: Mutex::new(Mood::Well), takes: AtomicU64::new(0) }
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

    pub fn takes(&self) -> u64 {
        self.takes.load(Ordering::Relaxed)
    }
}

impl Store for Faulty {
    fn name(&self) -> &'static str {
        "faulty"
    }

    fn take(&self, take: Take) -> StoreFuture<Grant> {
        self.takes.fetch_add(1, Ordering::Relaxed);
        let mood = *self.mood.lock().unwrap();
        let inner = self.inner.clone();
        Box::pin(async move {
            match mood {
                Mood::Well => inner.take(take).await,
                Mood::Late(time) => {
                    let grant = inner.take(take).await;
                    tokio::time::sleep(time).await;
                    grant
                }
                Mood::Failing(kind) => Err(StoreError::new(kind)),
                Mood::Hanging => std::future::pending().await,
                Mood::Panicking => panic!("a store that panics"),
            }
        })
    }

    fn give_back(&self, back: GiveBack) -> StoreFuture<()> {
        self.inner.give_back(back)
    }
}
