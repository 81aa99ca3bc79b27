//! The controls that the suite brings, served and counted: a circuit breaker, the telemetry.

use http::{Request, StatusCode};
use obs_core::circuit::CircuitBreaker;
use obs_core::clock::ManualClock;
use obs_core::control::{Kind, Registry};
use obs_core::environment::Environment;
use obs_core::output::Output;
use obs_core::telemetry::Telemetry;
use obs_health::check::{Check, ControlCheck, Observation};
use obs_health::{HealthBuilder, HealthRegistry};

use crate::support::{get, send};

const TOKEN: &str = "0123456789abcdef";

fn builder(controls: Registry) -> HealthBuilder {
    let environment = Environment::from([("OBS_ADMIN_TOKEN", TOKEN)]);
    HealthRegistry::builder("orders").controls(controls).environment(environment)
}

#[tokio::test]
async fn a_required_breaker_forced_open_over_http_takes_readiness_with_it_until_its_time_is_up() {
    let manual = ManualClock::default();
    let controls = Registry::default();
    let breaker = CircuitBreaker::builder("payments").clock(manual.clock()).controls(&controls);
    let breaker = breaker.build().unwrap();
    let health = builder(controls).required_control(Kind::CircuitBreaker, "payments");
    let health = health.build().unwrap();
    let authorized = |request: http::request::Builder| {
        request.header("authorization", format!("Bearer {TOKEN}"))
    };

    let body = r#"{"action":"force_open","reason":"vendor is down","ttl_s":60}"#;
    let post = authorized(Request::post("/health/circuits/payments")).body(body.to_owned());
    let opened = send(&health, post.unwrap()).await;
    assert_eq!((opened.status, &opened.json()["state"]), (StatusCode::OK, &"forced_open".into()));
    assert!(breaker.try_acquire().is_err(), "the breaker itself refuses calls");
    assert_eq!(get(&health, "/ready").await.status, StatusCode::SERVICE_UNAVAILABLE);

    let look = authorized(Request::get("/health/circuits/payments")).body(String::new()).unwrap();
    let transitions = send(&health, look).await.json()["transitions"].take();
    let last = transitions.as_array().and_then(|all| all.last()).unwrap().to_string();
    assert!(last.contains("forced_open") && last.contains("vendor is down"), "{last}");

    manual.advance(std::time::Duration::from_secs(61));
    assert!(breaker.try_acquire().is_ok(), "an override ends by itself");
    assert_eq!(get(&health, "/ready").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_telemetry_pipeline_is_a_control_and_a_check() {
    let (output, _lines) = Output::captured();
    let telemetry = Telemetry::builder("orders")
        .environment(Environment::empty())
        .output(output)
        .build()
        .unwrap();
    let control = telemetry.controls().get(Kind::Telemetry, "orders").unwrap();
    assert_eq!(ControlCheck::new(control).check().await, Observation::pass());
    let health = builder(telemetry.controls().clone()).build().unwrap();
    let look = Request::get("/health/controls/telemetry/orders")
        .header("authorization", format!("Bearer {TOKEN}"));
    let shown = send(&health, look.body(String::new()).unwrap()).await.json();
    assert_eq!((&shown["state"], &shown["spans"].is_object()), (&"complete".into(), &true));
}
