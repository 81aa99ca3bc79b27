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

use obs_core::admit::{Admission, Admit};
use obs_core::metric::{Counter, CounterCell, Descriptor, Gauge, Histogram, Label, Recorder};

use obs_ratelimit::Limiter;
use obs_ratelimit::{
    GiveBack, Grant, Hold, MemoryStore, Store, StoreError, StoreErrorKind, StoreFuture, StoreKey,
    Take,
};
#[cfg(feature = "real-parts")]
use obs_ratelimit::{LeaseConfig, OnStoreFailure, Policy, Quota};

/// A request of a tenant.
pub fn request(tenant: &str) -> http::request::Parts {
    let request = http::Request::get("/").header("x-tenant-id", tenant).body(()).unwrap();
    request.into_parts().0
}

/// Whether a request passes, and by which step of the ladder; empty for none.
pub async fn admitted(limiter: &Limiter) -> Option<String> {
    let admission = match limiter.admit(&request("acme")) {
        Admission::Pending(pending) => pending.await,
        decided => decided,
    };
    let Admission::Admitted(mut permit) = admission else { return None };
    let headers = permit.take_headers().unwrap_or_default();
    let step = headers.get("x-ratelimit-fallback").map(|it| it.to_str().unwrap().to_owned());
    Some(step.unwrap_or_default())
}

/// A limiter over a store that opens without it, and the counters of its decisions.
#[cfg(feature = "real-parts")]
pub fn open_over(store: Arc<dyn Store>, strict: bool) -> (Limiter, Arc<Counted>) {
    let config = LeaseConfig::new().on_store_failure(OnStoreFailure::Open).silent_fraction(0.0);
    // So few that a lease is soon used up, and more than a load asks for.
    let policy = Policy::builder("shared", Quota::per_second(400));
    let policy = match strict {
        true => policy.strict(store, config),
        false => policy.leased(store, config),
    };
    let counted = Arc::new(Counted::default());
    let secret = conformance::new_key().bits().to_be_bytes();
    let builder = Limiter::builder().fleet_secret(secret).recorder(counted.clone());
    (builder.policy(policy.build().unwrap()).build().unwrap(), counted)
}

/// Asks one after another until a request passes by the share of its node, which it must once the
/// leases are used: none fails, and what the headers say the metric says.
#[cfg(feature = "real-parts")]
pub async fn bear_without_a_store(limiter: &Limiter, counted: &Counted) {
    let before = counted.count("RateLimitFallbacks", &["share"]);
    let mut shares = 0;
    for request in 0..1_000_000 {
        let step = admitted(limiter).await.expect("no request fails for a missing store");
        shares += u64::from(step == "share");
        if request >= 200 && shares > 0 {
            break;
        }
    }
    assert!(shares > 0, "the first step of the ladder");
    let told = counted.count("RateLimitFallbacks", &["share"]) - before;
    assert_eq!(told, shares, "the ladder, as header and metric");
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
