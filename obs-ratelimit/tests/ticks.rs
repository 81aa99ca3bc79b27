//! Limits on a clock whose cheap reading is late.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use obs_core::clock::{Clock, Instant, ManualClock, TimeSource, Timestamp};
use obs_ratelimit::{Key, Limiter, Policy, Quota};
use proptest::prelude::*;

const TICK: u64 = 10_000_000;
const LATE: Duration = Duration::from_nanos(TICK);
const SECOND: Duration = Duration::from_secs(1);

/// A clock whose coarse reading moves every 10 ms, and which counts its exact readings.
#[derive(Clone, Debug, Default)]
struct Ticking {
    manual: ManualClock,
    exact: Arc<AtomicU64>,
}

impl TimeSource for Ticking {
    fn monotonic(&self) -> Instant {
        self.exact.fetch_add(1, Ordering::Relaxed);
        self.manual.clock().now()
    }

    fn wall(&self) -> Timestamp {
        self.manual.clock().wall()
    }

    fn coarse(&self) -> Instant {
        let now = self.manual.clock().now().as_nanos();
        Instant::from_nanos(now - now % TICK)
    }
}

impl Ticking {
    fn now(&self) -> u64 {
        self.manual.clock().now().as_nanos()
    }

    fn limiter(&self, quota: Quota) -> Limiter {
        let policy = Policy::builder("tenant", quota).key(Key::tenant()).max_keys(64);
        let builder = Limiter::builder().clock(Clock::custom(self.clone()));
        builder.policy(policy.build().unwrap()).build().unwrap()
    }

    /// Readings of the exact clock while `act` runs.
    fn exact_readings(&self, act: impl FnOnce()) -> u64 {
        let before = self.exact.load(Ordering::Relaxed);
        act();
        self.exact.load(Ordering::Relaxed) - before
    }
}

fn admits(limiter: &Limiter) -> bool {
    limiter.check_key("tenant", &["acme"], 1).unwrap().is_admitted()
}

fn wait(limiter: &Limiter) -> Option<Duration> {
    limiter.check_key("tenant", &["acme"], 1).unwrap().retry_after()
}

#[test]
fn only_limits_that_a_tick_could_falsify_read_the_exact_clock() {
    for (quota, reads_exactly) in [
        (Quota::per_second(100), false),
        (Quota::per_minute(10), false),
        (Quota::fixed_window(10, SECOND), false),
        (Quota::concurrency(10), false),
        (Quota::per_second(100).burst(10), true),
        (Quota::strict(100, 10 * SECOND, 60), true),
        (Quota::sliding_window(10, SECOND / 2), true),
    ] {
        let clock = Ticking::default();
        let limiter = clock.limiter(quota);
        let readings = clock.exact_readings(|| assert!(admits(&limiter)));
        assert_eq!(readings > 0, reads_exactly, "{quota:?}");
    }
}

#[test]
fn rl_46_a_refusal_far_from_its_end_is_as_cheap_as_an_admission() {
    let clock = Ticking::default();
    let limiter = clock.limiter(Quota::per_minute(1));
    assert!(admits(&limiter));
    clock.manual.advance(SECOND / 2);
    assert_eq!(clock.exact_readings(|| assert!(!admits(&limiter))), 0);
}

proptest! {
    #[test]
    fn rl_1_what_a_tick_admits_is_what_the_quota_promises_for_a_tick_more(
        limit in 1_u64..200,
        seconds in 1_u64..4,
        steps in prop::collection::vec((0_u64..40_000_000, 1_usize..20), 1..80),
    ) {
        let clock = Ticking::default();
        let quota = Quota::rate(limit, Duration::from_secs(seconds));
        let limiter = clock.limiter(quota);
        let mut admitted: Vec<u64> = Vec::new();
        for (step, requests) in steps {
            clock.manual.advance(Duration::from_nanos(step));
            admitted.extend((0..requests).filter(|_| admits(&limiter)).map(|_| clock.now()));
        }
        for (first, from) in admitted.iter().enumerate() {
            for (last, until) in admitted.iter().enumerate().skip(first) {
                let span = Duration::from_nanos(until - from);
                let most = quota.most_in(span + LATE).unwrap();
                let sum = (last - first + 1) as u64;
                prop_assert!(sum <= most, "{} in {:?}", sum, span);
            }
        }
    }

    #[test]
    fn rl_1_a_strict_quota_admits_its_limit_in_any_period_whatever_the_tick(
        limit in 2_u64..60,
        steps in prop::collection::vec((0_u64..80_000_000, 1_usize..20), 1..80),
    ) {
        let clock = Ticking::default();
        let limiter = clock.limiter(Quota::strict(limit, 2 * SECOND, limit / 2));
        let mut admitted: Vec<u64> = Vec::new();
        for (step, requests) in steps {
            clock.manual.advance(Duration::from_nanos(step));
            admitted.extend((0..requests).filter(|_| admits(&limiter)).map(|_| clock.now()));
        }
        let period = 2_000_000_000;
        for (first, from) in admitted.iter().enumerate() {
            let in_period = admitted[first..].iter().take_while(|at| **at < from + period).count();
            prop_assert!(in_period as u64 <= limit, "{} in a period", in_period);
        }
    }

    #[test]
    fn rl_18_the_header_of_a_tick_is_minimal_and_sufficient(
        limit in 1_u64..50,
        offset in 0_u64..TICK,
        later in 0_u64..3_000_000_000,
    ) {
        let clock = Ticking::default();
        clock.manual.advance(Duration::from_nanos(offset));
        let limiter = clock.limiter(Quota::rate(limit, Duration::from_secs(limit * 7)));
        while admits(&limiter) {}
        clock.manual.advance(Duration::from_nanos(later));
        let whole = wait(&limiter).unwrap().as_nanos().div_ceil(1_000_000_000) as u64;
        if whole > 1 {
            clock.manual.advance(Duration::from_secs(whole - 1));
            prop_assert!(!admits(&limiter), "a second less would do");
            clock.manual.advance(SECOND);
        } else {
            clock.manual.advance(SECOND);
        }
        prop_assert!(admits(&limiter));
    }
}
