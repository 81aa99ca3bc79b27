use serde_json::json;

use super::*;
use crate::declare::Shape;

fn metrics() -> RequestMetrics {
    RequestMetrics::builder("orders", "prod").namespace("Shop").build().unwrap()
}

fn watch() -> Watch {
    Watch::new(&metrics(), "orders", "prod")
        .availability(99.9)
        .latency(250.0, 99.0)
        .log_group("/shop/orders")
        .resource("AWS/ECS", "CPUUtilization", [("ClusterName", "shop"), ("ServiceName", "orders")])
}

#[test]
fn the_dashboard_uses_only_what_is_declared() {
    let metrics = metrics();
    assert_eq!(check(&watch().dashboard(), &[metrics.shape()]), []);
}

#[test]
fn a_metric_that_nobody_declares_is_found() {
    let other = Shape::builder("Shop")
        .dimension_set(["Service"])
        .metric(("Latency", obs_core::metric::Unit::Milliseconds))
        .build()
        .unwrap();
    let problems = check(&watch().dashboard(), &[&other]);
    let messages: Vec<_> = problems.iter().map(|problem| problem.message.as_str()).collect();
    assert!(messages.contains(&"Requests is not declared in Shop"), "{messages:?}");
    assert!(messages.iter().any(|text| text.starts_with("Latency is not declared with")));
}

#[test]
fn broken_bodies_are_found() {
    let metrics = metrics();
    let problems = |body: Value| check(&body, &[metrics.shape()]).len();
    assert_eq!(problems(json!({})), 1);
    assert_eq!(problems(json!({ "widgets": [{ "type": "cake" }] })), 2);
    let widget = |row: Value| {
        json!({ "widgets": [{ "type": "metric", "x": 0, "y": 0, "width": 24, "height": 6,
            "properties": { "metrics": [row] } }] })
    };
    assert_eq!(problems(widget(json!([{ "expression": "100 - m1", "id": "e" }]))), 1);
    assert_eq!(problems(widget(json!(["Shop", "Latency", "Service"]))), 1);
    assert_eq!(problems(widget(json!(["AWS/ECS", "Anything"]))), 0);
}

#[test]
fn the_objectives_are_target_lines_and_thresholds() {
    let body = watch().dashboard();
    let availability = &body["widgets"][0]["properties"];
    assert_eq!(availability["metrics"][0][0]["expression"], "100 - (m2/m1*100)");
    assert_eq!(availability["annotations"]["horizontal"][0]["value"], 99.9);
    let template = watch().template();
    let alarms = &template["Resources"];
    assert_eq!(alarms["LatencyWarning"]["Properties"]["Threshold"], 250.0);
    assert_eq!(alarms["LatencyCritical"]["Properties"]["Threshold"], 500.0);
    let burn = alarms["BurnFastLong"]["Properties"]["Threshold"].as_f64().unwrap();
    assert!((burn - 1.44).abs() < 1e-9);
    for name in ["EMFParsingErrors", "EMFValidationErrors", "MetricsDropped", "ServiceUnwell"] {
        assert!(alarms[name].is_object(), "{name}");
    }
}

#[test]
fn composite_rules_name_alarms_that_the_template_makes() {
    let template = watch().template();
    let resources = template["Resources"].as_object().unwrap();
    let names: Vec<&str> = resources
        .values()
        .filter_map(|resource| resource["Properties"]["AlarmName"].as_str())
        .collect();
    let rules = resources.values().filter_map(|one| one["Properties"]["AlarmRule"].as_str());
    for rule in rules {
        let mut parts = rule.split('"').skip(1).step_by(2).peekable();
        assert!(parts.peek().is_some());
        assert!(parts.all(|name| names.contains(&name)), "{rule}");
    }
    for name in watch().alarm_names() {
        assert!(names.contains(&name.as_str()), "{name}");
    }
}
