//! Limits of one process, through the public interface, in virtual time.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::time::Duration;

use obs_core::admit::{Admission, Admit};
use obs_core::clock::ManualClock;
use obs_core::control::Control;
use obs_ratelimit::{CalendarUnit, Key, Limiter, Overrides, Policy, Quota};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn request(tenant: &str) -> http::request::Parts {
    let request = http::Request::get("/").header("x-tenant-id", tenant).body(()).unwrap();
    request.into_parts().0
}

fn limiter(clock: &ManualClock, quota: Quota, global: bool) -> Limiter {
    let policy = Policy::builder("tenant", quota).max_keys(64);
    let policy = if global { policy } else { policy.key(Key::tenant()) };
    Limiter::builder().clock(clock.clock()).policy(policy.build().unwrap()).build().unwrap()
}

fn retry_after(limiter: &Limiter) -> Option<u64> {
    match limiter.admit(&request("acme")) {
        Admission::Refused(refusal) => {
            refusal.headers["retry-after"].to_str().unwrap().parse().ok()
        }
        _ => None,
    }
}

fn quotas() -> impl Strategy<Value = Quota> {
    let period = (1_u64..90_000_000_000).prop_map(Duration::from_nanos);
    let limit = 1_u64..20;
    prop_oneof![
        (limit.clone(), period.clone(), 1_u64..20).prop_filter_map(
            "a rate",
            |(limit, it, burst)| {
                (u128::from(limit) <= it.as_nanos()).then(|| Quota::rate(limit, it).burst(burst))
            }
        ),
        (limit.clone(), period.clone()).prop_map(|(limit, it)| Quota::fixed_window(limit, it)),
        (limit.clone(), period).prop_map(|(limit, it)| Quota::sliding_window(limit, it)),
        limit.prop_map(|limit| Quota::calendar(limit, CalendarUnit::Day)),
    ]
}

proptest! {
    /// In whole seconds: at the time named the same request passes, a second earlier it does not.
    #[test]
    fn rl_18_retry_after_is_minimal_and_sufficient_for_every_quota(
        quota in quotas(),
        start in 0_u64..200_000_000_000,
        gaps in prop::collection::vec(0_u64..3_000_000_000, 0..6),
        global in any::<bool>(),
    ) {
        for early in [Duration::ZERO, SECOND] {
            let clock = ManualClock::default();
            let limiter = limiter(&clock, quota, global);
            clock.advance(Duration::from_nanos(start));
            for gap in &gaps {
                let _ = limiter.check(&request("acme"));
                clock.advance(Duration::from_nanos(*gap));
            }
            let mut wait = None;
            for _ in 0..40 {
                wait = retry_after(&limiter);
                if wait.is_some() {
                    break;
                }
            }
            let Some(wait) = wait else { return Ok(()) };
            prop_assert!(wait >= 1);
            let wait = Duration::from_secs(wait);
            if early == SECOND && wait == SECOND {
                // Nothing is less than a second.
                continue;
            }
            clock.advance(wait - early);
            prop_assert_eq!(retry_after(&limiter).is_none(), early.is_zero(), "{:?}", wait);
        }
    }
}

#[test]
fn rl_8_a_long_quota_runs_on_while_the_machine_is_suspended_and_a_short_one_stands_still() {
    for (quota, catches_up) in [
        (Quota::rate(1, Duration::from_secs(7_200)), true),
        (Quota::fixed_window(1, Duration::from_secs(7_200)), true),
        (Quota::calendar(1, CalendarUnit::Day), true),
        (Quota::per_minute(1), false),
    ] {
        let clock = ManualClock::default();
        let limiter = limiter(&clock, quota, false);
        assert!(limiter.check(&request("acme")).is_admitted());
        assert!(!limiter.check(&request("acme")).is_admitted());
        // In suspension the wall clock goes on and the monotonic one does not.
        let resumed = clock.clock().wall().saturating_add(Duration::from_secs(86_400));
        clock.set_wall(resumed);
        assert_eq!(limiter.check(&request("acme")).is_admitted(), catches_up, "{quota:?}");
    }
}

#[test]
fn rl_46_no_key_stands_in_what_a_limiter_shows_of_itself() {
    let overrides = Overrides::new().with(&["secret-tenant"], Quota::per_hour(1));
    let policy = Policy::builder("tenant", Quota::per_hour(1)).key(Key::tenant());
    let limiter = Limiter::new(policy.overrides(overrides).build().unwrap()).unwrap();
    while limiter.check(&request("secret-tenant")).is_admitted() {}
    let Admission::Refused(refusal) = limiter.admit(&request("secret-tenant")) else {
        panic!("used up")
    };
    let body = String::from_utf8(refusal.problem.to_json()).unwrap();
    for shown in [
        limiter.snapshot().to_string(),
        format!("{limiter:?}"),
        format!("{:?}", refusal.headers),
        format!("{:?}", limiter.check(&request("secret-tenant"))),
        body,
    ] {
        assert!(!shown.contains("secret-tenant"), "{shown}");
    }
}

/// The limits of an override key are found for a key that an operator names.
#[test]
fn an_operator_who_names_a_key_sees_the_limit_of_its_override() {
    let overrides = Overrides::new().with(&["large"], Quota::per_hour(50));
    let key = Key::tenant().and(Key::method());
    let policy = Policy::builder("tenant", Quota::per_hour(5)).key(key);
    let policy = policy.override_key(Key::tenant()).overrides(overrides).build().unwrap();
    let limiter = Limiter::new(policy).unwrap();
    assert_eq!(limiter.peek("tenant", &["large", "GET"]).unwrap().capacity, 50);
    assert_eq!(limiter.peek("tenant", &["small", "GET"]).unwrap().capacity, 5);
}
