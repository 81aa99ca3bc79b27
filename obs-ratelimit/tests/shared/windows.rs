use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use obs_core::clock::{ManualClock, Timestamp};
use obs_ratelimit::{CalendarUnit, LeaseConfig, Limiter, MemoryStore, Quota, Store};

use crate::support::Faulty;
use crate::{admission, node, passes};

const SECOND: Duration = Duration::from_secs(1);

fn nodes(
    clock: &ManualClock,
    store: &Arc<Faulty>,
    quota: Quota,
    strict: bool,
    count: usize,
) -> Vec<Limiter> {
    let node = || node(clock, store.clone(), quota, strict, LeaseConfig::new());
    std::iter::repeat_with(node).take(count).collect()
}

fn memory(clock: &ManualClock) -> Arc<Faulty> {
    Arc::new(Faulty::new(MemoryStore::new(clock.clock(), 64)))
}

#[tokio::test(start_paused = true)]
async fn rl_28_no_window_admits_more_than_its_limit_by_leases_or_strictly() {
    const LENGTH: Duration = Duration::from_secs(3);
    for strict in [false, true] {
        let clock = ManualClock::default();
        let store = memory(&clock);
        let nodes = nodes(&clock, &store, Quota::fixed_window(100, LENGTH), strict, 4);
        let mut admitted = BTreeMap::new();
        for request in 0..6_000_usize {
            let window = clock.clock().wall().unix_nanos() / LENGTH.as_nanos() as u64;
            let passed = passes(&nodes[request % 4], "acme").await;
            *admitted.entry(window).or_insert(0) += u32::from(passed);
            clock.advance(Duration::from_millis(2));
        }
        assert!(admitted.values().all(|count| *count <= 100), "strict {strict}: {admitted:?}");
        let whole: Vec<u32> = admitted.values().copied().take(4).collect();
        let least = if strict { 100 } else { 80 };
        assert!(whole.iter().all(|count| *count >= least), "strict {strict}: {admitted:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn rl_28_a_lease_dies_at_the_end_of_its_window() {
    let clock = ManualClock::starting_at(Timestamp::from_unix_millis(1_767_225_600_000));
    let store = memory(&clock);
    let limiter = &nodes(&clock, &store, Quota::fixed_window(100, 10 * SECOND), false, 1)[0];
    // Up to half a second before the end it uses much, and so leases much.
    clock.advance(Duration::from_millis(9_000));
    let mut admitted = 0;
    for _ in 0..49 {
        admitted += u32::from(passes(limiter, "acme").await);
        clock.advance(Duration::from_millis(20));
    }
    assert!(admitted > 40);
    clock.advance(Duration::from_millis(21));
    // What is left of the lease is of the window before: the store is asked anew.
    let before = store.takes();
    assert!(passes(limiter, "acme").await);
    assert_eq!(store.takes(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn rl_27_leases_of_a_window_shrink_near_its_end_so_that_a_dead_node_takes_little_with_it() {
    let clock = ManualClock::default();
    let store = memory(&clock);
    let quota = Quota::fixed_window(200, Duration::from_secs(3_600));
    let nodes = nodes(&clock, &store, quota, false, 2);
    let mut admitted = 0;
    // The first node dies when most is used.
    for round in 0..150 {
        admitted += u32::from(passes(&nodes[round % 2], "acme").await);
        clock.advance(Duration::from_millis(1));
    }
    for _ in 0..400 {
        admitted += u32::from(passes(&nodes[1], "acme").await);
        clock.advance(Duration::from_millis(5));
    }
    assert!(admitted <= 200, "{admitted}");
    assert!(admitted >= 150, "{admitted}: only what the dead node had leased is lost");
}

#[tokio::test(start_paused = true)]
async fn a_calendar_day_of_a_fleet_ends_at_midnight_in_utc() {
    for strict in [false, true] {
        // 2026-01-01T23:59:50Z.
        let start = 1_767_225_600 + 86_390;
        let clock = ManualClock::starting_at(Timestamp::from_unix_millis(start * 1_000));
        let store = memory(&clock);
        let quota = Quota::calendar(6, CalendarUnit::Day);
        let nodes = nodes(&clock, &store, quota, strict, 2);
        let mut days = [0, 0];
        for request in 0..100_usize {
            let day = usize::from(clock.clock().wall().unix_seconds() >= 1_767_225_600 + 86_400);
            days[day] += u32::from(passes(&nodes[request % 2], "acme").await);
            clock.advance(Duration::from_millis(200));
        }
        assert_eq!(days, [6, 6], "strict {strict}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sliding_window_of_a_fleet_carries_what_was_used() {
    for strict in [false, true] {
        let clock = ManualClock::default();
        let store = memory(&clock);
        let nodes = nodes(&clock, &store, Quota::sliding_window(50, 2 * SECOND), strict, 2);
        let mut times = Vec::new();
        for request in 0..4_000_u64 {
            if passes(&nodes[request as usize % 2], "acme").await {
                times.push(request * 2);
            }
            clock.advance(Duration::from_millis(2));
        }
        let most = times
            .iter()
            .enumerate()
            .map(|(first, from)| times[first..].iter().take_while(|at| *at - from < 2_000).count());
        // A fixed window would admit 100 across a boundary.
        let most = most.max().unwrap();
        assert!((40..=75).contains(&most), "strict {strict}: {most}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_by_a_window_says_when_it_ends() {
    for strict in [false, true] {
        let clock = ManualClock::default();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(clock.clock(), 64));
        let quota = Quota::fixed_window(1, Duration::from_secs(600));
        let limiter = node(&clock, store, quota, strict, LeaseConfig::new());
        clock.advance(Duration::from_secs(100));
        assert!(passes(&limiter, "acme").await);
        let obs_core::admit::Admission::Refused(refusal) = admission(&limiter, "acme").await else {
            panic!("used up")
        };
        assert_eq!(refusal.headers["retry-after"], "500", "strict {strict}");
        assert_eq!(refusal.headers["ratelimit"], r#""tenant";r=0;t=500"#);
        assert_eq!(refusal.headers["ratelimit-policy"], r#""tenant";q=1;w=600"#);
    }
}
