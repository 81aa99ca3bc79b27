use std::time::Duration;

use obs_core::clock::Timestamp;
use obs_core::environment::Environment;
use obs_core::log::{Line, LineFormat};
use obs_core::metric::{Descriptor, Unit};
use serde_json::Value;
use tracing::Level;

use super::*;
use crate::ledger::DropReason;

const NOW: Timestamp = Timestamp::from_unix_millis(1_767_225_600_000);

fn line(metrics: &RequestMetrics, observation: &Observation<'_>, extras: &[Extra<'_>]) -> Value {
    let mut line = br#"{"message":"request completed""#.to_vec();
    metrics.encode_tail_with(&mut line, NOW, observation, extras, usize::MAX);
    line.push(b'}');
    serde_json::from_slice(&line).unwrap()
}

#[test]
fn a_request_has_its_six_metrics_in_two_dimension_sets() {
    let metrics = RequestMetrics::builder("orders", "prod").build().unwrap();
    let observation = Observation {
        route: Some("/orders/{id}"),
        error: true,
        latency: Duration::from_micros(1_500),
        response_size: Some(10),
        in_flight: 2,
        ..Observation::new("GET")
    };
    let line = line(&metrics, &observation, &[]);
    let directive = &line["_aws"]["CloudWatchMetrics"][0];
    assert_eq!(directive["Namespace"], "orders");
    assert_eq!(
        directive["Dimensions"],
        serde_json::json!([
            ["Service", "Environment"],
            ["Service", "Environment", "Method", "Route"]
        ])
    );
    assert_eq!(line["Service"], "orders");
    assert_eq!(line["Environment"], "prod");
    assert_eq!(line["Requests"], 1);
    assert_eq!(line["Errors"], 1);
    assert_eq!(line["Faults"], 0);
    assert_eq!(line["Latency"], 1.5);
    assert_eq!(line["ResponseSize"], 10);
    assert_eq!(line["InFlight"], 2);
}

#[test]
fn a_raw_method_or_path_never_becomes_a_dimension() {
    let metrics = RequestMetrics::builder("orders", "prod").build().unwrap();
    let line = line(&metrics, &Observation::new("BREW"), &[]);
    assert_eq!(line["Method"], OTHER_METHOD);
    assert_eq!(line["Route"], UNMATCHED);
}

#[test]
fn an_unknown_response_size_is_left_out_and_not_counted() {
    let metrics = RequestMetrics::builder("orders", "prod").build().unwrap();
    let line = line(&metrics, &Observation::new("GET"), &[]);
    assert_eq!(line.get("ResponseSize"), None);
    let defined = line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap();
    assert_eq!(defined.len(), 5);
    assert_eq!(metrics.ledger().appended, 5);
    assert_eq!(metrics.ledger().emitted, 5);
}

#[test]
fn metrics_of_handlers_join_those_of_the_request() {
    const HITS: Descriptor = Descriptor::new("CacheHits", Unit::Count, "");
    const TIME: Descriptor = Descriptor::new("QueryTime", Unit::Milliseconds, "");
    const CLASH: Descriptor = Descriptor::new("Latency", Unit::Milliseconds, "");
    const BROKEN: Descriptor = Descriptor::new("", Unit::None, "");
    let metrics = RequestMetrics::builder("orders", "prod").build().unwrap();
    let extras = [
        (&HITS, 1.0),
        (&TIME, 2.5),
        (&TIME, f64::NAN),
        (&TIME, 4.0),
        (&CLASH, 9.0),
        (&BROKEN, 1.0),
    ];
    let line = line(&metrics, &Observation::new("GET"), &extras);
    assert_eq!(line["CacheHits"], 1);
    assert_eq!(line["QueryTime"], serde_json::json!([2.5, 4]));
    assert_eq!(line["Latency"], 0);
    let ledger = metrics.ledger();
    assert_eq!(ledger.dropped_for(DropReason::NotFinite), 1);
    assert_eq!(ledger.dropped_for(DropReason::NameClash), 1);
    assert_eq!(ledger.dropped_for(DropReason::InvalidName), 1);
    assert_eq!((ledger.appended, ledger.emitted), (11, 8));
}

#[test]
fn extra_metrics_without_room_go_into_further_lines() {
    let metrics = RequestMetrics::builder("orders", "prod").build().unwrap();
    let names: Vec<String> = (0..300).map(|number| format!("Extra{number}")).collect();
    let leaked: Vec<Descriptor> = names
        .into_iter()
        .map(|name| Descriptor::new(String::leak(name), Unit::Count, ""))
        .collect();
    let extras: Vec<Extra<'_>> = leaked.iter().map(|metric| (metric, 1.0)).collect();
    let observation = Observation::new("GET");

    let format = LineFormat::new("orders").max_line_bytes(4_096).unwrap();
    let mut text = Vec::new();
    let mut line =
        Line::begin(&mut text, &format, NOW, Level::INFO, format_args!("request completed"), "t");
    line.str("method", "GET");
    line.finish_with_tails(metrics.tails(NOW, &observation, &extras));
    let text = String::from_utf8(text).unwrap();
    assert!(text.lines().count() > 3);
    let mut found = 0;
    for line in text.lines() {
        assert!(line.len() <= 4_096);
        let line: Value = serde_json::from_str(line).unwrap();
        let names = line.as_object().unwrap().keys();
        found += names.filter(|name| name.starts_with("Extra")).count();
    }
    assert_eq!(found, 300);
    assert_eq!(metrics.ledger().emitted, 305);
}

#[test]
fn the_namespace_comes_from_code_then_environment_then_service() {
    let environment = Environment::from([("AWS_EMF_NAMESPACE", "Shop")]);
    let builder = RequestMetrics::builder("orders", "prod");
    let namespace =
        |builder: RequestMetricsBuilder| builder.build().unwrap().shape().namespace().to_owned();
    assert_eq!(namespace(builder.clone()), "orders");
    assert_eq!(namespace(builder.clone().from_environment(&environment)), "Shop");
    assert_eq!(namespace(builder.namespace("Mine").from_environment(&environment)), "Mine");
}

#[test]
fn declared_routes_bound_the_series() {
    let builder = RequestMetrics::builder("orders", "prod");
    assert_eq!(builder.clone().build().unwrap().shape().series_bound(), None);
    // Six metrics: without a route, and for each method and route and those that none matched.
    let bounded = builder.routes(20).build().unwrap();
    assert_eq!(bounded.shape().series_bound(), Some(6 * (1 + 11 * 21)));
}
