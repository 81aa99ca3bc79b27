//! What probes see, on virtual time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{clock, get, send};
use http::{Request, StatusCode};
use obs_core::control::Health;
use obs_core::environment::Environment;
use obs_health::check::Observation;
use obs_health::{Dependency, Event, HealthBuilder, HealthRegistry};

const SECOND: Duration = Duration::from_secs(1);

fn builder() -> HealthBuilder {
    HealthRegistry::builder("orders").clock(clock()).seed(7)
}

/// A dependency that is up while the flag is set, and how often it was asked.
fn switchable(up: &Arc<AtomicBool>, asked: &Arc<AtomicUsize>) -> impl obs_health::check::Check {
    let (up, asked) = (up.clone(), asked.clone());
    move || {
        asked.fetch_add(1, Ordering::Relaxed);
        let up = up.load(Ordering::Relaxed);
        async move { if up { Ok(()) } else { Err("connection refused") } }
    }
}

fn up() -> (Arc<AtomicBool>, Arc<AtomicUsize>) {
    (Arc::new(AtomicBool::new(true)), Arc::default())
}

#[tokio::test(start_paused = true)]
async fn health_h1_liveness_never_asks_a_dependency() {
    let (is_up, asked) = up();
    is_up.store(false, Ordering::Relaxed);
    let required = Dependency::required("database", switchable(&is_up, &asked));
    let health = builder().dependency(required).build().unwrap();
    for _ in 0..100 {
        assert_eq!(get(&health, "/live").await.status, StatusCode::OK);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn health_h1_ten_thousand_probes_a_second_cost_one_run_per_interval() {
    let (is_up, asked) = up();
    let required = Dependency::required("database", switchable(&is_up, &asked));
    let health = builder().dependency(required.interval(5 * SECOND)).build().unwrap();
    let _running = health.start();
    for _ in 0..60 {
        for _ in 0..10_000 {
            std::hint::black_box(health.readiness());
        }
        tokio::time::sleep(SECOND).await;
    }
    let asked = asked.load(Ordering::Relaxed);
    assert!((11..=14).contains(&asked), "asked {asked} times in 60 s at 5 s ± 10 %");
}

#[tokio::test(start_paused = true)]
async fn health_h2_a_required_dependency_down_is_503_and_an_optional_one_degrades() {
    let down = || async { Err("connection refused") };
    for (dependency, status, word) in [
        (Dependency::required("a", down), StatusCode::SERVICE_UNAVAILABLE, "fail"),
        (Dependency::optional("a", down), StatusCode::OK, "warn"),
    ] {
        let dependency = dependency.failure_threshold(1).startup_grace(Duration::ZERO);
        let health = builder().dependency(dependency).build().unwrap();
        health.refresh().await;
        let answer = get(&health, "/ready").await;
        assert_eq!((answer.status, answer.json()["status"].as_str()), (status, Some(word)));
        assert_eq!(get(&health, "/live").await.status, StatusCode::OK);
    }
}

#[tokio::test(start_paused = true)]
async fn health_h2_unknown_at_the_start_is_not_ready_and_still_alive() {
    let never_up = Dependency::required("a", || async { Err("starting") });
    let health = builder().dependency(never_up).build().unwrap();
    let _running = health.start();
    tokio::time::sleep(20 * SECOND).await;
    assert_eq!(get(&health, "/ready").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(get(&health, "/live").await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn the_degraded_status_is_what_was_configured() {
    let down = Dependency::optional("cache", || async { Err("down") });
    let down = down.failure_threshold(1).startup_grace(Duration::ZERO);
    let health = builder()
        .dependency(down)
        .degraded_status(StatusCode::SERVICE_UNAVAILABLE)
        .build()
        .unwrap();
    health.refresh().await;
    assert_eq!(get(&health, "/health").await.status, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test(start_paused = true)]
async fn health_h3_recovery_needs_no_restart() {
    let (is_up, asked) = up();
    let required = Dependency::required("database", switchable(&is_up, &asked))
        .interval(2 * SECOND)
        .wait_duration_in_open_state(4 * SECOND, 60 * SECOND);
    let health = builder().dependency(required).build().unwrap();
    let _running = health.start();
    tokio::time::sleep(SECOND).await;
    assert_eq!(health.readiness(), Health::Pass);
    is_up.store(false, Ordering::Relaxed);
    tokio::time::sleep(10 * SECOND).await;
    assert_eq!(health.readiness(), Health::Fail);
    is_up.store(true, Ordering::Relaxed);
    tokio::time::sleep(10 * SECOND).await;
    assert_eq!(health.readiness(), Health::Pass);
}

#[tokio::test(start_paused = true)]
async fn health_h3_a_hundred_flaps_change_the_state_a_bounded_number_of_times() {
    let (is_up, asked) = up();
    let changes = Arc::new(AtomicUsize::new(0));
    let counter = changes.clone();
    let required = Dependency::required("database", switchable(&is_up, &asked))
        .interval(SECOND)
        .timeout(SECOND)
        .failure_threshold(1);
    let observer = move |event: &Event<'_>| {
        if matches!(event, Event::DependencyChanged { .. }) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    };
    let health = builder().dependency(required).observer(observer).build().unwrap();
    let _running = health.start();
    for _ in 0..100 {
        is_up.store(true, Ordering::Relaxed);
        tokio::time::sleep(6 * SECOND).await;
        is_up.store(false, Ordering::Relaxed);
        tokio::time::sleep(6 * SECOND).await;
    }
    let changes = changes.load(Ordering::Relaxed);
    assert!((3..=20).contains(&changes), "{changes} changes in 100 flaps");
}

#[tokio::test(start_paused = true)]
async fn health_h4_a_panicking_or_hanging_check_fails_alone() {
    async fn panicking() -> Observation {
        panic!("a bug in the check")
    }
    let hanging = || std::future::pending::<()>();
    let strict = |dependency: Dependency| {
        dependency.failure_threshold(1).startup_grace(Duration::ZERO).timeout(SECOND)
    };
    let health = builder()
        .dependency(strict(Dependency::optional("panics", panicking)))
        .dependency(strict(Dependency::optional("hangs", hanging)))
        .dependency(strict(Dependency::required("works", || async {})))
        .environment(Environment::from([("OBS_ADMIN_TOKEN", "0123456789abcdef")]))
        .build()
        .unwrap();
    health.refresh().await;
    let request = Request::get("/health/detail").header("authorization", "Bearer 0123456789abcdef");
    let checks = send(&health, request.body(String::new()).unwrap()).await.json()["checks"].take();
    assert_eq!(checks["panics"][0]["output"], "the check panicked");
    assert_eq!(checks["hangs"][0]["output"], "no answer within 1s");
    assert_eq!(checks["works"][0]["status"], "pass");
    assert_eq!(health.readiness(), Health::Warn);
}

#[tokio::test(start_paused = true)]
async fn a_slow_check_does_not_delay_the_others_or_run_twice_at_a_time() {
    let (is_up, asked) = up();
    let starts = Arc::new(AtomicUsize::new(0));
    let counted = starts.clone();
    let slow = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        std::future::pending::<()>()
    };
    let quick = Dependency::required("quick", switchable(&is_up, &asked)).interval(2 * SECOND);
    let slow = Dependency::optional("slow", slow).interval(60 * SECOND).timeout(60 * SECOND);
    let health = builder().dependency(slow).dependency(quick).build().unwrap();
    let _running = health.start();
    tokio::time::sleep(10 * SECOND).await;
    let refresh = tokio::spawn({
        let health = health.clone();
        async move { health.refresh().await }
    });
    tokio::time::sleep(SECOND).await;
    assert!(refresh.is_finished(), "it does not wait for a run that somebody else started");
    assert_eq!(starts.load(Ordering::Relaxed), 1);
    assert!(asked.load(Ordering::Relaxed) >= 5);
}

#[tokio::test(start_paused = true)]
async fn health_h6_the_drain_fails_readiness_and_leaves_liveness() {
    let health = builder().build().unwrap();
    assert_eq!(get(&health, "/ready").await.status, StatusCode::OK);
    health.begin_drain();
    assert_eq!(get(&health, "/ready").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(get(&health, "/livez").await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn health_h7_nothing_internal_is_shown_without_the_token() {
    let secret = "postgres://admin:hunter2@10.0.0.7/orders refused";
    let down = Dependency::required("internal-database", move || async move { Err(secret) });
    let down = down.failure_threshold(1).startup_grace(Duration::ZERO);
    let health = builder()
        .version("1.2.3-secret")
        .dependency(down)
        .environment(Environment::from([("OBS_ADMIN_TOKEN", "0123456789abcdef")]))
        .build()
        .unwrap();
    health.refresh().await;
    for path in ["/health", "/ready", "/health/detail", "/health/circuits", "/health/controls"] {
        let answer = get(&health, path).await;
        for internal in ["internal-database", "hunter2", "1.2.3-secret"] {
            assert!(!answer.text.contains(internal), "{path} shows {internal}: {}", answer.text);
        }
    }
    let request = Request::get("/health/detail").header("authorization", "Bearer 0123456789abcdef");
    let answer = send(&health, request.body(String::new()).unwrap()).await;
    assert!(answer.text.contains(secret) && answer.text.contains("1.2.3-secret"));
}

#[tokio::test(start_paused = true)]
async fn the_pod_and_the_node_are_named_when_they_are_set() {
    let environment = Environment::from([("POD_NAME", "orders-7f"), ("NODE_NAME", "ip-10-0-0-7")]);
    let health = builder().environment(environment).build().unwrap();
    let answer = get(&health, "/healthz").await.json();
    assert_eq!(
        (&answer["pod_name"], &answer["node_name"]),
        (&"orders-7f".into(), &"ip-10-0-0-7".into())
    );
    assert_eq!(get(&builder().build().unwrap(), "/healthz").await.json().get("pod_name"), None);
}

#[tokio::test(start_paused = true)]
async fn every_answer_forbids_caching_and_head_has_the_length_without_the_body() {
    let health = builder().build().unwrap();
    for path in ["/health", "/ready", "/live", "/health/detail", "/nowhere"] {
        assert_eq!(get(&health, path).await.headers["cache-control"], "no-store", "{path}");
    }
    let head = send(&health, Request::head("/health").body(String::new()).unwrap()).await;
    let length = get(&health, "/health").await.text.len().to_string();
    assert_eq!((head.headers["content-length"].to_str().unwrap(), &*head.text), (&*length, ""));
}

#[tokio::test(start_paused = true)]
async fn curl_gets_plain_text_unless_it_asks_for_json() {
    let health = builder().build().unwrap();
    let curl = |accept: &str| {
        let request = Request::get("/health").header("user-agent", "curl/8.5.0");
        request.header("accept", accept).body(String::new()).unwrap()
    };
    let answer = send(&health, curl("*/*")).await;
    assert_eq!(
        (&*answer.text, &answer.headers["content-type"]),
        ("pass\n", &"text/plain; charset=utf-8".parse().unwrap())
    );
    assert_eq!(send(&health, curl("application/json")).await.json()["status"], "pass");
}

#[tokio::test(start_paused = true)]
async fn other_methods_are_refused_with_what_is_allowed() {
    let health = builder().build().unwrap();
    let answer = send(&health, Request::delete("/health").body(String::new()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.headers["allow"], "GET, HEAD");
}

#[test]
fn configuration_errors_name_the_field_and_the_value() {
    let never = || async {};
    let errors = [
        Dependency::required("db", never).interval(Duration::ZERO),
        Dependency::required("db", never).timeout(11 * SECOND),
        Dependency::required("db", never).failure_threshold(0),
        Dependency::required("db", never).success_threshold(0),
        Dependency::required("db", never).wait_duration_in_open_state(2 * SECOND, SECOND),
        Dependency::required("d\nb", never),
    ]
    .map(|dependency| {
        let builder = HealthRegistry::builder("orders").dependency(dependency);
        builder.build().err().unwrap().to_string()
    });
    assert_eq!(
        errors,
        [
            "db.interval = 0s: must be longer than zero",
            "db.timeout = 11s: must not exceed the interval",
            "db.failure_threshold = 0: must be at least 1",
            "db.success_threshold = 0: must be at least 1",
            "db.max_wait_duration_in_open_state = 1s: must not be below wait_duration_in_open_state",
            "name = d\\nb: must be 1 to 128 bytes without control characters",
        ]
    );
    let twice = HealthRegistry::builder("orders")
        .dependency(Dependency::required("db", never))
        .dependency(Dependency::optional("db", never));
    assert_eq!(twice.build().err().unwrap().to_string(), "name = db: must be unique");
}
