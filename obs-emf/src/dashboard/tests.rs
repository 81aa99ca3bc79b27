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
    let search = |schema: &str| {
        let expression = format!("SEARCH('{{{schema}}} MetricName=\"Latency\"', 'p99')");
        problems(widget(json!([{ "expression": expression, "id": "e" }])))
    };
    assert_eq!(search("\"Shop\",\"Service\",\"Environment\""), 0);
    assert_eq!(search("\"Shop\",\"Service\""), 1, "not one of its sets");
}

#[test]
fn emf_r8_objectives_are_target_lines_and_thresholds_and_rejected_lines_alarm() {
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

fn placed() -> Shape {
    Shape::builder("Shop/Orders")
        .dimension_set(["Channel", "Country"])
        .metric(("OrdersPlaced", obs_core::metric::Unit::Count))
        .metric(("Checkout", obs_core::metric::Unit::Milliseconds))
        .build()
        .unwrap()
}

#[test]
fn events_of_ones_own_get_graphs_that_use_what_is_declared() {
    let (metrics, placed) = (metrics(), placed());
    let body = watch().events(&placed).dashboard();
    assert_eq!(check(&body, &[metrics.shape(), &placed]), []);
    let text = body.to_string();
    assert!(text.contains("OrdersPlaced (Sum)") && text.contains("Checkout (p99)"), "{text}");
    let other = Shape::builder("Shop/Orders")
        .dimension_set(["Channel"])
        .metric(("Checkout", obs_core::metric::Unit::Milliseconds))
        .build()
        .unwrap();
    assert_eq!(check(&body, &[metrics.shape(), &other]).len(), 2);
}

#[test]
fn region_and_account_are_parameters_unless_they_are_named() {
    let template = watch().template();
    let body =
        template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"].as_str();
    let body: Value = serde_json::from_str(body.unwrap()).unwrap();
    assert_eq!(body["widgets"][0]["properties"]["region"], "${AWS::Region}");
    let arns = |body: &Value| body["widgets"][4]["properties"]["alarms"][0].clone();
    assert_eq!(
        arns(&body),
        "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:\
         orders-prod-availability-warning"
    );
    let body = watch().place("eu-west-1", "123456789012").dashboard();
    assert!(!body.to_string().contains("${"));
    assert_eq!(body["widgets"][0]["properties"]["region"], "eu-west-1");
    assert_eq!(
        arns(&body),
        "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:orders-prod-availability-warning"
    );
    let china = arns(&watch().place("cn-north-1", "1").dashboard());
    assert!(china.as_str().unwrap().starts_with("arn:aws-cn:"));
}

#[test]
fn a_service_whose_name_looks_like_a_parameter_is_no_parameter() {
    let metrics =
        RequestMetrics::builder("${AWS::Region}", "prod").namespace("Shop").build().unwrap();
    let watch = Watch::new(&metrics, "${AWS::Region}", "prod");
    let template = watch.template();
    let body = &template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"];
    assert!(body.as_str().unwrap().contains("\"${!AWS::Region}\""), "{body}");
}

#[test]
fn each_tier_notifies_its_topic() {
    let template = watch().template();
    let topic = |alarm: &str| {
        let actions = &template["Resources"][alarm]["Properties"]["AlarmActions"];
        actions["Fn::If"][1][0]["Ref"].as_str().map(str::to_owned)
    };
    for (alarm, expected) in [
        ("AvailabilityWarning", Some("WarningTopicArn")),
        ("AvailabilityCritical", Some("CriticalTopicArn")),
        ("LatencyCritical", Some("CriticalTopicArn")),
        ("BurnFast", Some("CriticalTopicArn")),
        ("BurnSlow", Some("WarningTopicArn")),
        ("MetricsDropped", Some("WarningTopicArn")),
        ("EMFParsingErrors", Some("WarningTopicArn")),
        ("BurnFastLong", None),
        ("ServiceUnwell", None),
    ] {
        assert_eq!(topic(alarm).as_deref(), expected, "{alarm}");
    }
    for parameter in ["WarningTopicArn", "CriticalTopicArn"] {
        assert_eq!(template["Parameters"][parameter]["Default"], "");
    }
}
