use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use obs_core::clock::ManualClock;
use obs_core::control::{Action, Registry};
use obs_core::deadline::Deadline;
use obs_core::outcome::{Outcome, Rejection};
use proptest::prelude::*;
use tower::{Layer, Service, ServiceExt, service_fn};

use super::gradient::{Gradient, Observation};
use super::*;
use crate::priority::Priority;

const WINDOW: Duration = Duration::from_secs(1);
const BASE: Duration = Duration::from_millis(10);

fn shed(config: LoadShedConfig) -> (ManualClock, LoadShed) {
    let time = ManualClock::default();
    let shed = LoadShed::builder("test").config(config).clock(time.clock()).build().unwrap();
    (time, shed)
}

fn limit(calls: u32) -> LoadShedConfig {
    LoadShedConfig::new().initial_limit(calls)
}

/// One window with so many calls at once, each of that length and outcome.
fn window(time: &ManualClock, shed: &LoadShed, calls: u32, length: Duration, outcome: Outcome) {
    let permits: Vec<_> =
        (0..calls).filter_map(|_| shed.try_acquire(Priority::Critical).ok()).collect();
    time.advance(length);
    permits.into_iter().for_each(|permit| permit.settle(outcome));
    time.advance(WINDOW);
    // The first call after its end closes a window; one call is no sample of the next.
    shed.try_acquire(Priority::Critical).unwrap().settle(Outcome::CancelledBeforeHeaders);
}

#[test]
fn res_l1_the_limit_changes_once_per_window() {
    let (time, shed) = shed(limit(20));
    for _ in 0..40 {
        let permits: Vec<_> =
            (0..20).map(|_| shed.try_acquire(Priority::Critical).unwrap()).collect();
        time.advance(BASE);
        permits.into_iter().for_each(|permit| permit.settle(Outcome::Success));
        assert_eq!(shed.limit(), 20);
    }
    time.advance(WINDOW);
    shed.try_acquire(Priority::Critical).unwrap().settle(Outcome::Success);
    let after = shed.limit();
    assert!(after > 20);
    shed.try_acquire(Priority::Critical).unwrap().settle(Outcome::Success);
    assert_eq!(shed.limit(), after);
}

#[test]
fn res_l2_the_limit_does_not_grow_while_less_than_half_is_used() {
    let (time, shed) = shed(limit(100));
    for _ in 0..50 {
        window(&time, &shed, 49, BASE, Outcome::Success);
    }
    assert_eq!(shed.limit(), 100);
    window(&time, &shed, 60, BASE, Outcome::Success);
    window(&time, &shed, 60, BASE, Outcome::Success);
    assert!(shed.limit() > 100);
}

#[test]
fn res_l3_one_fast_answer_does_not_pin_the_baseline() {
    let (time, shed) = shed(limit(20));
    let fast = shed.try_acquire(Priority::Critical).unwrap();
    time.advance(Duration::from_nanos(1));
    fast.settle(Outcome::Success);
    for _ in 0..5 {
        window(&time, &shed, 20, BASE, Outcome::Success);
    }
    assert!(shed.baseline() > BASE / 2);
    assert!(shed.limit() >= 20, "{}", shed.limit());
}

#[test]
fn res_l3_the_baseline_follows_a_backend_that_became_slower() {
    let config = limit(100);
    let mut gradient = Gradient::new(&config);
    for _ in 0..10 {
        gradient.observe(saturated(&gradient, 100.0, 10.0), &config);
    }
    for _ in 0..30 {
        gradient.observe(saturated(&gradient, 100.0, 20.0), &config);
    }
    assert!((gradient.baseline() - 20.0).abs() < 2.0, "{}", gradient.baseline());
    assert!((80..150).contains(&gradient.limit()), "{}", gradient.limit());
}

/// A window at the limit before a backend with so many workers.
fn saturated(gradient: &Gradient, workers: f64, service: f64) -> Observation {
    let in_flight = gradient.limit();
    let latency = service * (f64::from(in_flight) / workers).max(1.0);
    Observation { latency, in_flight, overload: false }
}

#[test]
fn res_l4_what_missed_its_deadline_is_congestion_and_who_went_away_is_nothing() {
    for (outcome, expected) in [
        (Outcome::DeadlineExceeded, 18),
        (Outcome::Rejected(Rejection::Bulkhead), 18),
        (Outcome::CancelledBeforeHeaders, 20),
        (Outcome::ServerError, 20),
    ] {
        let (time, shed) = shed(limit(20));
        window(&time, &shed, 20, BASE, outcome);
        assert_eq!(shed.limit(), expected, "{outcome}");
    }
}

#[test]
fn res_l4_a_call_dropped_after_its_deadline_is_congestion() {
    let (time, shed) = shed(limit(20));
    let permit = {
        let _scope = Deadline::after(time.clock().now(), BASE).enter();
        shed.try_acquire(Priority::Normal).unwrap()
    };
    time.advance(WINDOW);
    drop(permit);
    assert_eq!(shed.limit(), 18);
}

#[test]
fn res_l5_many_failures_in_one_window_are_one_decrease() {
    let (time, shed) = shed(limit(100));
    window(&time, &shed, 80, BASE, Outcome::DeadlineExceeded);
    assert_eq!(shed.limit(), 90);
}

#[test]
fn res_l6_the_limit_follows_a_capacity_that_halves_and_comes_back() {
    // Without regular probes, which would cut the limit for the very window looked at.
    let config = limit(20).probe_windows(1_000);
    let mut gradient = Gradient::new(&config);
    let mut settle = |workers: f64, windows: usize| {
        for _ in 0..windows {
            gradient.observe(saturated(&gradient, workers, 10.0), &config);
        }
        f64::from(gradient.limit())
    };
    let full = settle(100.0, 40);
    assert!((100.0..=125.0).contains(&full), "{full}");
    let half = settle(50.0, 10);
    assert!((half / full - 0.5).abs() <= 0.1, "{half} of {full}");
    let again = settle(100.0, 10);
    assert!((again / full - 1.0).abs() <= 0.2, "{again} of {full}");
}

#[test]
fn res_l7_after_everything_was_shed_the_limit_comes_back_by_itself() {
    let (time, shed) = shed(limit(50));
    for _ in 0..60 {
        window(&time, &shed, 50, BASE, Outcome::DeadlineExceeded);
    }
    assert_eq!(shed.limit(), 4, "the least, and not nothing");
    for _ in 0..40 {
        window(&time, &shed, shed.limit().max(10), BASE, Outcome::Success);
    }
    assert!(shed.limit() >= 20, "{}", shed.limit());
}

#[test]
fn res_l8_nothing_is_shed_while_something_less_important_is_let_in() {
    let (_, shed) = shed(limit(100));
    let mut permits = Vec::new();
    let mut most = Vec::new();
    for priority in Priority::ALL {
        permits.extend(std::iter::from_fn(|| shed.try_acquire(priority).ok()));
        most.push(shed.in_flight());
    }
    assert_eq!(most, [70, 85, 95, 100]);
    for lower in &Priority::ALL[..3] {
        assert!(shed.try_acquire(*lower).is_err());
    }
    permits.truncate(80);
    assert!(shed.try_acquire(Priority::Low).is_err());
    assert!(shed.try_acquire(Priority::Normal).is_ok());
}

#[test]
fn res_l8_each_class_has_a_place_that_is_never_taken_away() {
    let (_, shed) = shed(limit(10));
    let all: Vec<_> = std::iter::from_fn(|| shed.try_acquire(Priority::Critical).ok()).collect();
    assert_eq!(all.len(), 10);
    let low = shed.try_acquire(Priority::Low);
    assert!(low.is_ok());
    assert!(shed.try_acquire(Priority::Low).is_err());
}

async fn ok(_: Request<()>) -> Result<Response<Bytes>, Infallible> {
    Ok(Response::new(Bytes::new()))
}

#[tokio::test]
async fn res_l9_a_shed_call_is_answered_with_a_wait_that_differs() {
    let (_, shed) = shed(limit(4));
    let _held: Vec<_> = std::iter::from_fn(|| shed.try_acquire(Priority::Critical).ok()).collect();
    let _normal = shed.try_acquire(Priority::Normal);
    let response = LoadShedLayer::new(shed.clone()).layer(service_fn(ok)).oneshot(Request::new(()));
    let response = response.await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.extensions().get(), Some(&Outcome::Rejected(Rejection::LoadShed)));
    let waits: std::collections::BTreeSet<_> = (0..50)
        .map(|_| {
            crate::reject::Rejected::from(shed.try_acquire(Priority::Normal).unwrap_err()).wait()
        })
        .collect();
    assert!(waits.len() > 10);
    assert_eq!(shed.shed(Priority::Normal), 51);
}

#[tokio::test]
async fn res_l10_health_routes_pass_whatever_the_load() {
    let (_, shed) = shed(limit(4));
    let _held: Vec<_> = std::iter::from_fn(|| shed.try_acquire(Priority::Critical).ok()).collect();
    let _normal = shed.try_acquire(Priority::Normal);
    let service = LoadShedLayer::new(shed).layer(service_fn(ok));
    for (path, status) in [
        ("/health", 200),
        ("/health/circuits/pay", 200),
        ("/readyz", 200),
        ("/livez", 200),
        ("/live", 200),
        ("/ready", 200),
        ("/healthz", 200),
        ("/healthy-food", 503),
        ("/orders", 503),
    ] {
        let request = Request::get(path).body(()).unwrap();
        assert_eq!(service.clone().oneshot(request).await.unwrap().status(), status, "{path}");
    }
}

#[tokio::test]
async fn res_o4_in_flight_returns_to_zero() {
    let (_, shed) = shed(limit(10));
    let mut service = LoadShedLayer::new(shed.clone()).layer(service_fn(ok));
    service.ready().await.unwrap().call(Request::new(())).await.unwrap();
    drop(service.ready().await.unwrap().call(Request::new(())));
    assert_eq!(shed.in_flight(), 0);
}

#[test]
fn res_t8_a_frozen_process_is_no_slow_service() {
    let (time, shed) = shed(limit(20));
    for _ in 0..3 {
        window(&time, &shed, 20, BASE, Outcome::Success);
    }
    let before = shed.limit();
    let permits: Vec<_> =
        (0..before).filter_map(|_| shed.try_acquire(Priority::Critical).ok()).collect();
    time.advance(BASE);
    time.freeze(3_600 * WINDOW);
    permits.into_iter().for_each(|permit| permit.settle(Outcome::Success));
    time.advance(WINDOW);
    shed.try_acquire(Priority::Critical).unwrap().settle(Outcome::CancelledBeforeHeaders);
    assert!(shed.limit() >= before, "{} of {before}", shed.limit());
}

#[test]
fn of_many_calls_a_part_is_measured_and_it_is_enough() {
    let (time, shed) = shed(limit(20).window(60 * WINDOW));
    for _ in 0..10_000 {
        let permit = shed.try_acquire(Priority::Normal).unwrap();
        time.advance(Duration::from_millis(5));
        permit.settle(Outcome::Success);
    }
    time.advance(60 * WINDOW);
    shed.try_acquire(Priority::Normal).unwrap().settle(Outcome::CancelledBeforeHeaders);
    assert_eq!(shed.baseline(), Duration::from_millis(5));
}

#[test]
fn res_g12_each_setting_of_the_algorithm_matters() {
    let saturated_until = |config: &LoadShedConfig, windows: usize| {
        let mut gradient = Gradient::new(config);
        for _ in 0..windows {
            gradient.observe(saturated(&gradient, 100.0, 10.0), config);
        }
        gradient.limit()
    };
    let usual = limit(20).probe_windows(1_000);
    let settled = saturated_until(&usual, 60);
    assert!(saturated_until(&usual.clone().tolerance(2.0), 60) > settled + 20);
    assert_eq!(saturated_until(&usual.clone().max_limit(50), 60), 50);
    assert!(saturated_until(&usual.clone().initial_limit(90), 3) > saturated_until(&usual, 3));
    assert!(saturated_until(&usual.probe_windows(20), 20) < settled * 3 / 4, "the probe");
    let (time, shed) = shed(limit(20).window(10 * WINDOW));
    window(&time, &shed, 20, BASE, Outcome::DeadlineExceeded);
    assert_eq!(shed.limit(), 20, "ten times as long a window is not over");
}

#[test]
fn res_l11_a1_a2_and_a4_everything_is_shown_and_knobs_change_live() {
    let registry = Registry::default();
    let shed = LoadShed::builder("api").config(limit(4)).controls(&registry).build().unwrap();
    let control = registry.list().remove(0);
    let configure = |knob: &str, value: serde_json::Value| {
        control.apply(&Action::new("configure").argument(knob, value))
    };
    assert!(configure("max_limit", 0.into()).is_err());
    assert!(configure("tolerance", 0.5.into()).is_err());
    let held: Vec<_> = std::iter::from_fn(|| shed.try_acquire(Priority::Critical).ok()).collect();
    let snapshot = control.snapshot();
    assert_eq!((&snapshot["limit"], &snapshot["in_flight"]), (&4.into(), &4.into()));
    assert_eq!(snapshot["shed_calls"]["critical"], 1);
    assert_eq!(control.state(), "at_limit");
    configure("min_limit", 10.into()).unwrap();
    assert_eq!(shed.limit(), 10);
    configure("shadow", true.into()).unwrap();
    let more: Vec<_> = (0..20).filter_map(|_| shed.try_acquire(Priority::Critical).ok()).collect();
    assert_eq!((more.len(), shed.in_flight()), (20, 24));
    assert!(shed.shed(Priority::Critical) > 10);
    drop((held, more));
}

#[test]
fn each_setting_is_checked() {
    let fine = LoadShedConfig::new;
    for (config, field) in [
        (fine().max_limit(0), "max_limit"),
        (fine().min_limit(0), "min_limit"),
        (fine().initial_limit(2), "initial_limit"),
        (fine().probe_windows(1), "probe_windows"),
        (fine().tolerance(f64::NAN), "tolerance"),
        (fine().window(Duration::ZERO), "window"),
    ] {
        assert_eq!(LoadShed::builder("s").config(config).build().unwrap_err().field(), field);
    }
}

proptest! {
    #[test]
    fn the_limit_stays_within_its_bounds_whatever_it_sees(
        windows in prop::collection::vec((1.0..1e12_f64, 0_u32..2_000, any::<bool>()), 1..200),
    ) {
        let config = LoadShedConfig::new().max_limit(500);
        let mut gradient = Gradient::new(&config);
        for (latency, in_flight, overload) in windows {
            gradient.observe(Observation { latency, in_flight, overload }, &config);
            prop_assert!((4..=500).contains(&gradient.limit()));
        }
    }
}
