use std::time::Duration;

use http::request;
use obs_core::admit::{Admission, Admit};
use obs_core::clock::ManualClock;
use obs_core::outcome::Outcome;
use proptest::prelude::*;

use super::*;
use crate::key::Parts;
use crate::{Charge, Limit, OnMissingKey, Overrides};

fn request(tenant: &str) -> request::Parts {
    let request = http::Request::get("/").header("x-tenant-id", tenant).header("x-cost", "3");
    request.body(()).unwrap().into_parts().0
}

fn limiter(manual: &ManualClock, policies: impl IntoIterator<Item = Policy>) -> Limiter {
    let builder = Limiter::builder().clock(manual.clock());
    policies.into_iter().fold(builder, LimiterBuilder::policy).build().unwrap()
}

fn tenant(quota: Quota) -> crate::PolicyBuilder {
    Policy::builder("tenant", quota).key(Key::tenant()).max_keys(64)
}

#[test]
fn rl_13_a_refusal_by_one_policy_leaves_the_others_as_they_were() {
    let manual = ManualClock::default();
    let all = Policy::builder("all", Quota::per_minute(10)).build().unwrap();
    let limiter = limiter(&manual, [all, tenant(Quota::per_minute(1)).build().unwrap()]);
    assert!(limiter.check(&request("a")).is_admitted());
    for _ in 0..50 {
        let check = limiter.check(&request("a"));
        assert_eq!(check.refused_by(), Some("tenant"));
    }
    assert_eq!(limiter.peek("all", &[]).unwrap().remaining, 9);
}

#[test]
fn rl_14_refused_requests_cost_nothing_unless_they_are_asked_to() {
    let manual = ManualClock::default();
    for (charged, expected) in [(false, true), (true, false)] {
        let policy = tenant(Quota::per_minute(2)).charge_refused(charged).build().unwrap();
        let limiter = limiter(&manual, [policy]);
        for _ in 0..10 {
            let _ = limiter.check(&request("a"));
        }
        manual.advance(Duration::from_secs(60));
        assert_eq!(limiter.check(&request("a")).is_admitted(), expected);
        manual.advance(Duration::from_secs(60));
        assert!(limiter.check(&request("a")).is_admitted(), "a debt has an end");
    }
}

#[test]
fn rl_19_several_violated_policies_ask_for_the_longest_of_their_waits() {
    let short = tenant(Quota::per_second(1)).build().unwrap();
    let long = Policy::builder("daily", Quota::rate(1, Duration::from_secs(86_400))).build();
    let limiter = limiter(&ManualClock::default(), [short, long.unwrap()]);
    assert!(limiter.check(&request("a")).is_admitted());
    let Admission::Refused(refusal) = limiter.admit(&request("a")) else { panic!("over both") };
    assert_eq!(refusal.retry_after, Duration::from_secs(86_400));
    assert_eq!(refusal.headers["retry-after"], "86400");
    let body: serde_json::Value = serde_json::from_slice(&refusal.problem.to_json()).unwrap();
    assert_eq!(body["violated-policies"], serde_json::json!(["tenant", "daily"]));
}

#[test]
fn rl_6_a_request_dearer_than_the_quota_is_refused_without_a_time_to_retry() {
    let policy = tenant(Quota::per_second(2)).cost_by(|parts| {
        let cost = parts.headers.get("x-cost").and_then(|it| it.to_str().ok());
        cost.and_then(|it| it.parse().ok()).unwrap_or(1)
    });
    let limiter = limiter(&ManualClock::default(), [policy.build().unwrap()]);
    let Admission::Refused(refusal) = limiter.admit(&request("a")) else { panic!("3 of 2") };
    assert_eq!(refusal.retry_after, Duration::MAX);
    assert!(!refusal.headers.contains_key("retry-after"));
    assert_eq!(limiter.peek("tenant", &["a"]).unwrap().remaining, 2);
}

#[test]
fn overrides_raise_lower_lift_and_block_and_can_be_replaced() {
    let overrides = Overrides::new()
        .with(&["large"], Quota::per_minute(3))
        .with(&["free"], Limit::Unlimited)
        .with(&["abuser"], Limit::Blocked);
    let policy = tenant(Quota::per_minute(1)).overrides(overrides).build().unwrap();
    let limiter = limiter(&ManualClock::default(), [policy]);
    let admitted = |tenant: &str, tries: usize| {
        (0..tries).filter(|_| limiter.check(&request(tenant)).is_admitted()).count()
    };
    assert_eq!(admitted("large", 10), 3);
    assert_eq!(admitted("free", 10), 10);
    assert_eq!(admitted("abuser", 10), 0);
    assert_eq!(admitted("other", 10), 1);
    let overrides = Overrides::new().with(&["abuser"], Quota::per_minute(2));
    limiter.replace("tenant", Quota::per_minute(5), &overrides).unwrap();
    assert_eq!(admitted("abuser", 10), 2);
    assert_eq!(admitted("free", 10), 5);
    assert_eq!(limiter.peek("tenant", &["large"]).unwrap().remaining, 0, "what is used stays used");
    let other_kind = limiter.replace("tenant", Quota::concurrency(1), &Overrides::new());
    assert_eq!(other_kind.unwrap_err().field(), "overrides");
    assert!(limiter.replace("nobody", Quota::per_minute(1), &Overrides::new()).is_err());
    assert!(
        tenant(Quota::per_minute(1))
            .overrides(Overrides::new().with(&["a", "b"], Limit::Blocked))
            .build()
            .is_err()
    );
}

#[test]
fn requests_without_a_key_share_a_bucket_pass_or_are_refused() {
    let (nobody, ()) = http::Request::get("/").body(()).unwrap().into_parts();
    for (action, admitted) in
        [(OnMissingKey::Share, 1), (OnMissingKey::Skip, 5), (OnMissingKey::Refuse, 0)]
    {
        let policy = tenant(Quota::per_minute(1)).on_missing_key(action).build().unwrap();
        let limiter = limiter(&ManualClock::default(), [policy]);
        let passed = (0..5).filter(|_| limiter.check(&nobody).is_admitted()).count();
        assert_eq!(passed, admitted, "{action:?}");
    }
}

#[test]
fn a_policy_in_shadow_counts_what_it_would_refuse_and_refuses_nothing() {
    let policy = tenant(Quota::per_minute(1)).shadow(true).build().unwrap();
    let limiter = limiter(&ManualClock::default(), [policy]);
    assert!((0..5).all(|_| limiter.check(&request("a")).is_admitted()));
    assert_eq!(limiter.0.policies[0].counters.shadow.count(), 4);
}

#[test]
fn rl_16_an_abandoned_request_is_charged_unless_it_is_to_be_refunded() {
    for (refund, remaining) in [(false, 1), (true, 2)] {
        let policy = tenant(Quota::per_minute(2)).refund_on_cancel(refund).build().unwrap();
        let limiter = limiter(&ManualClock::default(), [policy]);
        let Admission::Admitted(permit) = limiter.admit(&request("a")) else { panic!("passes") };
        drop(permit);
        assert_eq!(limiter.peek("tenant", &["a"]).unwrap().remaining, remaining);
    }
}

#[test]
fn rl_15_only_successes_count_if_that_is_asked_for() {
    let policy = tenant(Quota::per_minute(2)).charge(Charge::OnSuccess).build().unwrap();
    let limiter = limiter(&ManualClock::default(), [policy]);
    for (outcome, remaining) in [(Outcome::ServerError, 2), (Outcome::Success, 1)] {
        let Admission::Admitted(permit) = limiter.admit(&request("a")) else { panic!("passes") };
        assert!(limiter.peek("tenant", &["a"]).unwrap().remaining < 2, "reserved while it runs");
        permit.settle(outcome);
        assert_eq!(limiter.peek("tenant", &["a"]).unwrap().remaining, remaining);
    }
}

#[test]
fn rl_43_a_route_key_is_the_template_and_a_made_up_method_is_not_a_new_one() {
    let key = Key::route(|parts| parts.extensions.get::<&str>().copied()).and(Key::method());
    let policy = Policy::builder("route", Quota::per_minute(1)).key(key).build().unwrap();
    let limiter = limiter(&ManualClock::default(), [policy]);
    let request = |path: &str, method: &str| {
        let request = http::Request::builder().method(method).uri(path);
        let (mut parts, ()) = request.body(()).unwrap().into_parts();
        parts.extensions.insert("/orders/{id}");
        parts
    };
    assert!(limiter.check(&request("/orders/1", "GET")).is_admitted());
    assert!(!limiter.check(&request("/orders/2", "GET")).is_admitted());
    assert!(limiter.check(&request("/orders/2", "BREW")).is_admitted());
    assert!(!limiter.check(&request("/orders/2", "BREWER")).is_admitted());
}

#[test]
fn rl_44_two_processes_place_the_same_key_differently() {
    let policy = || tenant(Quota::per_second(1)).max_keys(1).build().unwrap();
    let fingerprint = |limiter: &Limiter| limiter.0.secret.fingerprint(&Key::tenant(), &["acme"]);
    let (one, two) = (Limiter::new(policy()).unwrap(), Limiter::new(policy()).unwrap());
    assert_ne!(fingerprint(&one), fingerprint(&two));
    assert_eq!(fingerprint(&one), fingerprint(&one.clone()));
}

/// An independent reader of the structured field lists of RFC 9651 that the headers use.
type Member = (String, Vec<(String, String)>);

fn parse_list(text: &str) -> Option<Vec<Member>> {
    text.split(", ")
        .map(|member| {
            let rest = member.strip_prefix('"')?;
            let (name, parameters) = rest.split_once('"')?;
            let visible = |it: &char| it.is_ascii_graphic() && !['"', '\\'].contains(it);
            name.chars().all(|it| visible(&it)).then_some(())?;
            let parameters = parameters.split(';').skip(1).map(|parameter| {
                let (key, value) = parameter.split_once('=')?;
                let number = value.parse::<u64>().is_ok_and(|it| it <= 999_999_999_999_999);
                let string = value.starts_with('"') && value.ends_with('"') && value.len() > 2;
                (number || string).then(|| (key.to_owned(), value.to_owned()))
            });
            Some((name.to_owned(), parameters.collect::<Option<Vec<_>>>()?))
        })
        .collect()
}

proptest! {
    #[test]
    fn rl_20_21_22_every_header_parses_and_says_nothing_impossible(
        limit in 1_u64..u64::MAX / 2,
        burst in 1_u64..1_000_000,
        window in 1_u64..50,
        calls in 1_usize..60,
    ) {
        let rate = Quota::rate(limit.min(1_000_000_000), Duration::from_secs(1)).burst(burst);
        let manual = ManualClock::default();
        let limiter = limiter(&manual, [
            tenant(rate).build().unwrap(),
            Policy::builder("w.indow/1", Quota::fixed_window(window, Duration::from_secs(7)))
                .build()
                .unwrap(),
            Policy::builder("huge", Quota::fixed_window(limit, Duration::from_secs(7)))
                .build()
                .unwrap(),
            Policy::builder("open", Quota::concurrency(3)).build().unwrap(),
        ]);
        for _ in 0..calls {
            let headers = match limiter.admit(&request("a")) {
                Admission::Refused(refusal) => refusal.headers,
                Admission::Admitted(mut permit) => permit.take_headers().unwrap(),
                Admission::Pending(_) => unreachable!("no store"),
            };
            let list = |name: &str| parse_list(headers[name].to_str().unwrap());
            let (policies, limits) = (list("ratelimit-policy").unwrap(), list("ratelimit").unwrap());
            prop_assert_eq!(policies.len(), 4);
            for ((name, policy), (same, limit)) in policies.iter().zip(&limits) {
                prop_assert_eq!(name, same);
                let read = |from: &[(String, String)], key: &str| -> Option<u64> {
                    from.iter().find(|(it, _)| it == key).and_then(|(_, it)| it.parse().ok())
                };
                let (q, r) = (read(policy, "q").unwrap(), read(limit, "r").unwrap());
                prop_assert!(r <= q);
                let t = read(limit, "t");
                prop_assert!(r > 0 || t.unwrap_or(0) >= 1);
                if let (Some(t), Some(retry)) = (t, headers.get("retry-after")) {
                    let retry: u64 = retry.to_str().unwrap().parse().unwrap();
                    prop_assert!(r > 0 || retry >= t, "{} before {}", retry, t);
                }
            }
        }
    }
}

#[test]
fn rl_39_the_name_of_a_key_in_a_store_never_changes() {
    let secret = |fleet| Secret { table: TableSeed::new(1, 2), fleet };
    let name = |fleet, policy, parts: &[(u8, &str)]| {
        secret(fleet).name(policy, |into| {
            parts.iter().for_each(|(tag, part)| into.push(*tag, part.as_bytes()));
        })
    };
    let fleet = [0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908];
    let of_key = secret(fleet).name("per-user", |into| {
        Key::user().encode_values(&["acme", "ann"], into);
        assert_eq!(into.as_bytes(), b"\x01\x04acme\x02\x03ann");
    });
    let parts = [(1, "acme"), (2, "ann")];
    assert_eq!(of_key, name(fleet, "per-user", &parts));
    assert_ne!(of_key, name(fleet, "per-use", &[(b'r', "acme"), (2, "ann")]));
    assert_ne!(of_key, name([1, 2], "per-user", &parts));
    // What is stored by a fleet that runs today is found by the version of tomorrow.
    assert_eq!(of_key.to_string(), "964008823636c8b0d65ff71b46c7f957");
}

#[test]
fn a_key_without_a_request_is_charged_like_that_of_a_request() {
    let overrides = Overrides::new().with(&["large"], Quota::per_minute(5));
    let quota = tenant(Quota::per_minute(3)).overrides(overrides).build().unwrap();
    let places = Policy::builder("places", Quota::concurrency(1)).build().unwrap();
    let limiter = limiter(&ManualClock::default(), [quota, places]);
    let check = |policy: &str, key: &[&str], cost| limiter.check_key(policy, key, cost).unwrap();
    assert!(check("tenant", &["a"], 2).is_admitted());
    assert!(limiter.check(&request("a")).is_admitted());
    let refused = check("tenant", &["a"], 1);
    assert_eq!(refused.refused_by(), Some("tenant"));
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(20)));
    assert_eq!(check("tenant", &["a"], 4).retry_after(), None, "dearer than the quota");
    assert!(check("tenant", &["large"], 5).is_admitted());
    for _ in 0..3 {
        assert!(check("places", &[], 1).is_admitted(), "a place is given back at once");
    }
    assert_eq!(limiter.check_key("nobody", &["a"], 1).unwrap_err().field(), "policy");
    assert_eq!(limiter.check_key("tenant", &["a", "b"], 1).unwrap_err().field(), "key");
    let counted = limiter.active("tenant").unwrap();
    assert_eq!((counted.counters.admitted.count(), counted.counters.limit.count()), (3, 1));
}
