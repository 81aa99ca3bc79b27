//! Where deadlines come from.

use std::future::pending;

use http::Request;
use obs_core::environment::Environment;
use obs_core::outcome::{Outcome, Rejection};
use obs_core::output::Output;
use obs_core::propagate::TrustPolicy;
use obs_core::telemetry::Telemetry;
use obs_tower::observe::ObserveLayer;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{Answer, Body, Patterns, SECOND, request};

fn observe(patterns: &Patterns, trust: TrustPolicy) -> ObserveLayer {
    let telemetry = Telemetry::builder("deadlines")
        .environment(Environment::empty())
        .clock(patterns.clock.clone())
        .output(Output::captured().0)
        .build();
    ObserveLayer::builder(telemetry.unwrap()).trust(trust).build().unwrap()
}

fn asking(header: &'static str, value: &'static str) -> Request<Body> {
    let mut request = request();
    request.headers_mut().insert(header, value.parse().unwrap());
    request
}

#[tokio::test(start_paused = true)]
async fn res_t2_a_deadline_from_the_wire_counts_when_it_is_trusted_and_earlier() {
    for name in ["timeout", "guard"] {
        for (header, value, trust, expected_ms) in [
            ("x-request-timeout", "200", TrustPolicy::internal(), 200),
            ("grpc-timeout", "300m", TrustPolicy::internal(), 300),
            ("x-request-timeout", "60000", TrustPolicy::internal(), 1_000),
            ("x-request-timeout", "200", TrustPolicy::default(), 1_000),
        ] {
            let patterns = Patterns::new();
            let never = service_fn(|_: Request<Body>| pending::<Answer>());
            let service = observe(&patterns, trust).layer(patterns.around(name, never));
            let started = patterns.clock.now();
            let response = service.oneshot(asking(header, value)).await.unwrap();
            assert_eq!(response.status(), 504, "{name} {header}");
            let took = (patterns.clock.now() - started).as_millis();
            assert!((expected_ms..expected_ms + 5).contains(&took), "{name} {header}: {took} ms");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn res_t3_what_arrives_too_late_never_reaches_the_handler() {
    for name in ["timeout", "guard"] {
        let patterns = Patterns::new();
        let handler = service_fn(|_: Request<Body>| async { panic!("the handler ran") });
        let handler =
            tower::util::MapResponse::new(handler, |response: http::Response<Body>| response);
        let service = observe(&patterns, TrustPolicy::internal());
        let service = service.layer(patterns.around(name, handler));
        let response = service.oneshot(asking("x-request-timeout", "0")).await.unwrap();
        assert_eq!(response.status(), 504, "{name}");
        let outcome = response.extensions().get::<Outcome>();
        assert_eq!(outcome, Some(&Outcome::Rejected(Rejection::Deadline)), "{name}");
        tokio::time::sleep(SECOND).await;
    }
}
