//! What a decision costs, without the service around it.

use std::hint::black_box;
use std::sync::Arc;

use http::{HeaderValue, Request};
use obs_core::clock::Clock;
use obs_ratelimit::{Headers, LeaseConfig, Limiter, MemoryStore, Quota};

use super::{HOT, MILLION, Names, ONE, PLENTY, TENANT, limiter, policy};
use crate::Job;
use crate::two_threads::two_threads;

pub(super) fn jobs() -> Vec<Job> {
    vec![
        Job::new("rate_limit/one_hot_key", || hot(&local(PLENTY))).within(10_000, 40),
        Job::new("rate_limit/1_m_keys", random).within(10_000, 150).unsteady(),
        Job::new("rate_limit/denied", || hot(&local(ONE))).within(10_000, 48),
        Job::new("rate_limit/leased", leased).within(10_000, 48).unsteady(),
        Job::new("rate_limit/two_threads", contended).within(10_000, 60).shared().explained(
            "two threads that ask about one key take turns at it, for the count is exact",
        ),
        Job::new("rate_limit/by_request", by_request).within(10_000, 80),
    ]
}

fn local(quota: Quota) -> Limiter {
    limiter(policy(quota), Headers::none())
}

fn check(limiter: &Limiter, key: &str) {
    let _ = black_box(limiter.check_key("tenant", &[black_box(key)], 1));
}

fn hot(limiter: &Limiter) -> impl FnMut(u64) + use<> {
    let limiter = limiter.clone();
    move |times| (0..times).for_each(|_| check(&limiter, HOT))
}

/// A random key of a million, all of which are in the table.
fn random() -> impl FnMut(u64) {
    let (limiter, mut names) = (local(PLENTY), Names::new());
    (0..MILLION).for_each(|number| check(&limiter, names.of(number)));
    move |times| (0..times).for_each(|_| check(&limiter, names.next()))
}

/// One key of a store, asked for a new lease whenever the last one is used up: the runtime that asks
/// has its turn now and then on the same thread, so what leasing costs is counted.
fn leased() -> impl FnMut(u64) {
    const TURN: u64 = 256;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a current-thread runtime lacks nothing");
    let store = Arc::new(MemoryStore::new(Clock::system(), 1_024));
    // Without the silent part, every request is paid by a lease.
    let config = LeaseConfig::new().silent_fraction(0.0);
    let limiter = limiter(policy(PLENTY).max_keys(1_024).leased(store, config), Headers::none());
    let run = move |times: u64| {
        for start in (0..times).step_by(TURN as usize) {
            runtime.block_on(async {
                (start..times.min(start + TURN)).for_each(|_| check(&limiter, HOT));
                tokio::task::yield_now().await;
            });
        }
    };
    // Until leases are as large as the demand.
    run(200_000);
    run
}

/// One key while another thread asks about nothing else.
fn contended() -> impl FnMut(u64) {
    let limiter = local(PLENTY);
    two_threads(move || hot(&limiter))
}

/// The key is looked for in the headers of a request.
fn by_request() -> impl FnMut(u64) {
    let limiter = local(PLENTY);
    let request = Request::get("/").header(TENANT, HeaderValue::from_static(HOT)).body(());
    let (request, ()) = request.expect("the request is valid").into_parts();
    move |times| {
        for _ in 0..times {
            let _ = black_box(limiter.check(black_box(&request)));
        }
    }
}
