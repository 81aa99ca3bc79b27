//! What deciding allocates, and what memory a flood of keys takes.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::hint::black_box;

use allocation_counter::measure;
use obs_core::clock::ManualClock;
use obs_core::control::Control;
use obs_ratelimit::{Headers, Key, Limiter, Policy, Quota};

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

#[test]
fn rl_45_a_million_keys_in_a_minute_take_no_memory_and_free_no_limited_key() {
    let manual = ManualClock::default();
    let policy = Policy::builder("tenant", Quota::per_hour(2)).key(Key::tenant()).max_keys(262_144);
    let limiter =
        Limiter::builder().clock(manual.clock()).policy(policy.build().unwrap()).build().unwrap();
    let memory = limiter.snapshot()["policies"][0]["memory_bytes"].as_u64().unwrap();
    assert!(memory < 8 << 20, "{memory} bytes for 262,144 keys");
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
