//! What deciding allocates, and what memory a flood of keys takes.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::convert::Infallible;
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use allocation_counter::measure;
use obs_core::clock::ManualClock;
use obs_core::control::Control;
use obs_ratelimit::{Headers, Key, LeaseConfig, Limiter, MemoryStore, Policy, Quota, RateLimit};
use tower::Service;

fn request(tenant: &str) -> http::request::Parts {
    let request = http::Request::get("/orders").header("x-tenant-id", tenant).body(()).unwrap();
    request.into_parts().0
}

#[test]
fn admitting_without_headers_allocates_nothing() {
    let tenant = Policy::builder("tenant", Quota::per_second(1_000_000)).key(Key::tenant());
    let all = Policy::builder("all", Quota::per_second(10_000_000)).build().unwrap();
    let limiter = Limiter::builder()
        .clock(ManualClock::default().clock())
        .policy(tenant.max_keys(1_024).build().unwrap())
        .policy(all)
        .headers(Headers::none())
        .build()
        .unwrap();
    let request = request("acme");
    // The first call sets up what the process keeps.
    assert!(limiter.check(&request).is_admitted());
    let allocated = measure(|| {
        for _ in 0..1_000 {
            assert!(black_box(limiter.check(black_box(&request))).is_admitted());
        }
    });
    assert_eq!(allocated.count_total, 0);
}

/// A limiter without headers over one policy on the tenant.
fn quiet(quota: Quota) -> Limiter {
    let policy = Policy::builder("tenant", quota).key(Key::tenant()).max_keys(1_024);
    let builder = Limiter::builder().clock(ManualClock::default().clock());
    builder.policy(policy.build().unwrap()).headers(Headers::none()).build().unwrap()
}

#[test]
fn rl_46_a_decision_to_refuse_allocates_as_little_as_one_to_admit() {
    let (limiter, request) = (quiet(Quota::per_hour(1)), request("acme"));
    while limiter.check(&request).is_admitted() {}
    let allocated = measure(|| {
        for _ in 0..1_000 {
            assert!(!black_box(limiter.check(black_box(&request))).is_admitted());
        }
    });
    assert_eq!(allocated.count_total, 0);
}

#[test]
fn rl_46_a_refused_response_is_built_from_what_was_built_before() {
    let mut service = RateLimit::new(ready_service(), quiet(Quota::per_hour(1)));
    let _ = black_box(call(&mut service));
    let allocated = measure(|| {
        assert_eq!(black_box(call(&mut service)), 429);
    });
    // Of the response: a header map of two parts, the number in `Retry-After` of two, and an
    // extension of three.
    let bare = measure(|| {
        black_box(http::Request::get("/").header("x-tenant-id", "acme").body(Empty).unwrap());
    });
    let added = allocated.count_total - bare.count_total;
    assert!(added <= 7, "{added} allocations");
}

#[test]
fn the_headers_of_an_admitted_request_take_a_map_and_two_numbers() {
    let policy = Policy::builder("tenant", Quota::per_second(1_000_000)).key(Key::tenant());
    let builder = Limiter::builder().clock(ManualClock::default().clock());
    let limiter = builder.policy(policy.max_keys(1_024).build().unwrap()).build().unwrap();
    let (mut service, mut bare) = (RateLimit::new(ready_service(), limiter), ready_service());
    assert_eq!(call(&mut service), 200);
    let with = measure(|| {
        black_box(call(&mut service));
    });
    let without = measure(|| {
        black_box(call(&mut bare));
    });
    // The map has two parts; `RateLimit` takes one, and what remains two.
    assert_eq!(with.count_total - without.count_total, 5);
}

#[test]
fn admitting_through_the_layer_allocates_nothing() {
    let mut service = RateLimit::new(ready_service(), quiet(Quota::per_second(1_000_000)));
    let mut bare = ready_service();
    assert_eq!(call(&mut service), 200);
    let with = measure(|| {
        black_box(call(&mut service));
    });
    let without = measure(|| {
        black_box(call(&mut bare));
    });
    assert_eq!(with.count_total, without.count_total);
}

#[test]
fn admitting_by_a_lease_allocates_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let clock = ManualClock::default();
    let store = std::sync::Arc::new(MemoryStore::new(clock.clock(), 64));
    let policy = Policy::builder("tenant", Quota::per_second(1_000_000)).max_keys(64);
    let policy = policy.key(Key::tenant()).leased(store, LeaseConfig::new()).build().unwrap();
    let builder = Limiter::builder().clock(clock.clock()).fleet_secret([7; 16]);
    let limiter = builder.policy(policy).headers(Headers::none()).build().unwrap();
    let request = request("acme");
    // Demand makes the leases large: then most requests are paid by one.
    let warm = async {
        for _ in 0..20_000 {
            let _ = limiter.acquire(&request).await;
            clock.advance(std::time::Duration::from_micros(50));
        }
        limiter.acquire(&request).await.unwrap().commit();
    };
    runtime.block_on(warm);
    let allocated = measure(|| {
        for _ in 0..100 {
            assert!(black_box(limiter.check(black_box(&request))).is_admitted());
        }
    });
    assert_eq!(allocated.count_total, 0);
}

struct Empty;

impl From<bytes::Bytes> for Empty {
    fn from(_: bytes::Bytes) -> Self {
        Self
    }
}

type Answer = std::future::Ready<Result<http::Response<Empty>, Infallible>>;

/// A service that is always ready and allocates nothing.
#[derive(Clone)]
struct Always;

impl Service<http::Request<Empty>> for Always {
    type Response = http::Response<Empty>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<Empty>) -> Answer {
        std::future::ready(Ok(http::Response::new(Empty)))
    }
}

const fn ready_service() -> Always {
    Always
}

/// The status of one call.
fn call<B>(
    service: &mut impl Service<http::Request<Empty>, Response = http::Response<B>, Error = Infallible>,
) -> u16 {
    let request = http::Request::get("/").header("x-tenant-id", "acme").body(Empty).unwrap();
    let mut context = Context::from_waker(Waker::noop());
    match pin!(service.call(request)).poll(&mut context) {
        Poll::Ready(Ok(response)) => response.status().as_u16(),
        Poll::Ready(Err(never)) => match never {},
        Poll::Pending => panic!("the service is always ready"),
    }
}

#[test]
fn rl_45_a_million_keys_in_a_minute_take_no_memory_and_free_no_limited_key() {
    let manual = ManualClock::default();
    let policy = Policy::builder("tenant", Quota::per_hour(2)).key(Key::tenant()).max_keys(262_144);
    let limiter =
        Limiter::builder().clock(manual.clock()).policy(policy.build().unwrap()).build().unwrap();
    let memory = limiter.snapshot()["policies"][0]["memory_bytes"].as_u64().unwrap();
    assert!(memory < 10 << 20, "{memory} bytes for 262,144 keys");
    let limited: Vec<_> = (0..1_000).map(|key| request(&format!("limited-{key}"))).collect();
    for request in &limited {
        while limiter.check(request).is_admitted() {}
    }
    let mut flood = request("flood");
    let kept = measure(|| {
        for key in 0..1_000_000_u32 {
            let name = http::HeaderValue::from(key);
            flood.headers.insert("x-tenant-id", name);
            let _ = black_box(limiter.check(&flood));
            if key % 1_000 == 0 {
                manual.advance(std::time::Duration::from_millis(60));
            }
        }
    });
    assert!(kept.bytes_current < 4_096, "{} bytes kept", kept.bytes_current);
    for request in &limited {
        assert!(!limiter.check(request).is_admitted(), "a limited key was freed");
    }
    let snapshot = limiter.snapshot();
    let figures = &snapshot["policies"][0];
    assert_eq!(figures["memory_bytes"].as_u64().unwrap(), memory);
    assert!(figures["overflowed"].as_u64().unwrap() > 500_000, "the others share cells");
}
