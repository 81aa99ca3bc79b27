use obs_core::clock::Timestamp;
use obs_core::environment::Environment;
use obs_core::metric::Unit;
use obs_core::resource::Resource;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::ledger::{DropReason, Ledger, Repair};

const NOW: Timestamp = Timestamp::from_unix_millis(1_767_225_600_000);

fn orders() -> ShapeBuilder {
    Shape::builder("Shop").dimension_set(["Service"]).metric(("Latency", Unit::Milliseconds))
}

fn error(builder: ShapeBuilder) -> String {
    builder.build().unwrap_err().to_string()
}

fn tail(shape: &Shape, dimensions: &[&str], values: &[f64]) -> (Value, Ledger) {
    let mut line = br#"{"level":"INFO""#.to_vec();
    let ledger = shape.encode_tail(&mut line, NOW, dimensions, values);
    line.push(b'}');
    (serde_json::from_slice(&line).unwrap(), ledger)
}

#[test]
fn emf_e5_a_directive_has_namespace_dimensions_and_metrics() {
    let (line, _) = tail(&orders().build().unwrap(), &["orders"], &[1.0]);
    let directive = line["_aws"]["CloudWatchMetrics"][0].as_object().unwrap();
    assert_eq!(directive.keys().collect::<Vec<_>>(), ["Dimensions", "Metrics", "Namespace"]);
}

#[test]
fn emf_e6_a_bad_namespace_is_an_error_that_names_it() {
    let builder = Shape::builder("AWS/Orders").metric(("Latency", Unit::Milliseconds));
    assert!(error(builder).starts_with("namespace = AWS/Orders: "));
}

#[test]
fn emf_e7_without_dimensions_there_is_one_empty_set() {
    let shape = Shape::builder("Shop").metric(("Latency", Unit::Milliseconds)).build().unwrap();
    let (line, _) = tail(&shape, &[], &[1.0]);
    assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Dimensions"], serde_json::json!([[]]));
}

#[test]
fn emf_e8_a_set_has_at_most_30_dimensions() {
    let names = |count| (0..count).map(|number| format!("D{number}"));
    assert!(orders().dimension_set(names(30)).build().is_ok());
    assert!(error(orders().dimension_set(names(31))).contains("at most 30"));
    assert!(error(orders().dimension_set([""])).starts_with("dimension = "));
    assert!(error(orders().dimension_set(["A", "A"])).contains("once"));
}

#[test]
fn emf_e9_a_missing_dimension_gets_a_placeholder() {
    let (line, ledger) = tail(&orders().build().unwrap(), &[], &[1.0]);
    assert_eq!(line["Service"], "__empty__");
    assert_eq!(ledger.repaired(Repair::EmptyDimension), 1);
}

#[test]
fn emf_e10_a_set_cannot_be_declared_twice() {
    let builder = orders().dimension_set(["A", "B"]).dimension_set(["B", "A"]);
    assert!(error(builder).contains("each set counts"));
}

#[test]
fn emf_e11_a_shape_has_1_to_100_metrics() {
    assert!(error(Shape::builder("Shop")).starts_with("metrics = 0"));
    let with = |count: usize| {
        (0..count).fold(Shape::builder("Shop"), |builder, number| {
            builder.metric((format!("M{number}").as_str(), Unit::Count))
        })
    };
    assert!(with(100).build().is_ok());
    assert!(error(with(101)).starts_with("metrics = 101"));
}

#[test]
fn emf_e15_a_value_that_cloudwatch_refuses_is_left_out_and_counted() {
    let shape = orders().metric(("Size", Unit::Bytes)).build().unwrap();
    for (value, reason) in [
        (f64::NAN, DropReason::NotFinite),
        (f64::INFINITY, DropReason::NotFinite),
        (f64::MAX, DropReason::OutOfRange),
    ] {
        let (line, ledger) = tail(&shape, &["orders"], &[value, 3.0]);
        assert_eq!(line.get("Latency"), None);
        assert_eq!(line["Size"], 3);
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap().len(), 1);
        assert_eq!(ledger.dropped_for(reason), 1);
        assert!(ledger.is_conserved());
    }
}

#[test]
fn emf_e16_a_record_without_values_is_an_ordinary_line() {
    let (line, ledger) = tail(&orders().build().unwrap(), &["orders"], &[f64::NAN]);
    assert_eq!(line.get("_aws"), None);
    assert_eq!(line["Service"], "orders");
    assert_eq!(ledger.dropped(), 1);
}

#[test]
fn emf_e17_and_e18_units_and_high_resolution_are_written() {
    let metric = Metric::new("Rate", Unit::BytesPerSecond).resolution(Resolution::High);
    let (line, _) = tail(&orders().metric(metric).build().unwrap(), &["orders"], &[1.0, 2.0]);
    let metrics = &line["_aws"]["CloudWatchMetrics"][0]["Metrics"];
    assert_eq!(metrics[0].get("StorageResolution"), None);
    assert_eq!(metrics[1]["Unit"], "Bytes/Second");
    assert_eq!(metrics[1]["StorageResolution"], 1);
}

#[test]
fn emf_e19_a_name_stands_for_one_thing() {
    assert!(error(orders().metric(("Latency", Unit::Count))).contains("once"));
    assert!(error(orders().metric(("Service", Unit::Count))).contains("dimension"));
    assert!(error(orders().metric(("_aws", Unit::Count))).contains("field of the line"));
    assert!(error(orders().metric(("latency", Unit::Count))).contains("snake_case"));
}

#[test]
fn constants_are_written_without_being_given() {
    let shape = orders().constant("Service", "orders").build().unwrap();
    assert_eq!(shape.dimension_names().count(), 0);
    let (line, _) = tail(&shape, &[], &[1.0]);
    assert_eq!(line["Service"], "orders");
    assert!(error(orders().constant("Nope", "x")).starts_with("constant = Nope"));
}

#[test]
fn an_event_that_names_no_value_gets_the_default() {
    let shape = orders().default_value("Service", "orders").build().unwrap();
    for (given, expected) in [(&[][..], "orders"), (&[""], "orders"), (&["cart"], "cart")] {
        let (line, ledger) = tail(&shape, given, &[1.0]);
        assert_eq!(line["Service"], expected);
        assert_eq!(ledger.repaired(Repair::EmptyDimension), 0);
    }
    assert!(error(orders().default_value("Nope", "x")).starts_with("default_value = Nope"));
}

#[test]
fn properties_are_on_every_line_and_make_no_series() {
    let shape = orders().property("Version", "1.4\n").build().unwrap();
    let (line, _) = tail(&shape, &["orders"], &[1.0]);
    assert_eq!(line["Version"], "1.4\n");
    assert_eq!(
        line["_aws"]["CloudWatchMetrics"][0]["Dimensions"],
        serde_json::json!([["Service"]])
    );
    for name in ["Service", "Latency", "_aws", "version", ""] {
        assert!(error(orders().property(name, "x")).starts_with(&format!("property = {name}")));
    }
    assert!(error(orders().property("A", "x").property("A", "y")).contains("anything else"));
}

#[test]
fn emf_e25_the_platform_is_named_by_the_members_that_cloudwatch_reads() {
    let resource = Resource::default()
        .with("aws.ecs.cluster.arn", "arn:aws:ecs:eu-west-1:1:cluster/shop")
        .with("faas.name", "orders");
    let (line, _) = tail(&orders().entity(&resource).build().unwrap(), &["orders"], &[1.0]);
    assert_eq!(
        (&line["ECS.Cluster"], &line["Lambda.Function"]),
        (&"shop".into(), &"orders".into())
    );
}

#[test]
fn the_environment_names_the_agents_log_group_unless_code_does() {
    let environment = Environment::from([
        ("AWS_EMF_LOG_GROUP_NAME", "/shop/orders"),
        ("AWS_EMF_LOG_STREAM_NAME", "one"),
    ]);
    let shape = orders().log_stream("two").from_environment(&environment).build().unwrap();
    let (line, _) = tail(&shape, &["orders"], &[1.0]);
    assert_eq!(line["_aws"]["LogGroupName"], "/shop/orders");
    assert_eq!(line["_aws"]["LogStreamName"], "two");
}

#[test]
fn emf_r3_the_agents_log_group_is_part_of_the_metadata() {
    let shape = orders().log_group("/shop/orders").log_stream("a").build().unwrap();
    let (line, _) = tail(&shape, &["orders"], &[1.0]);
    assert_eq!(line["_aws"]["LogGroupName"], "/shop/orders");
    assert_eq!(line["_aws"]["LogStreamName"], "a");
    assert!(error(orders().log_group("a b")).starts_with("log_group"));
}

#[test]
fn the_series_bound_is_the_sum_over_sets_times_metrics() {
    let shape = orders()
        .metric(("Faults", Unit::Count))
        .dimension_set(["Service", "Route"])
        .constant("Service", "orders")
        .bound("Route", 20)
        .build()
        .unwrap();
    assert_eq!(shape.series_bound(), Some((1 + 20) * 2));
    assert_eq!(orders().build().unwrap().series_bound(), None);
}

proptest! {
    #[test]
    fn any_values_and_dimensions_make_a_valid_line_and_are_conserved(
        dimensions in prop::collection::vec(any::<String>(), 0..4),
        values in prop::collection::vec(prop::num::f64::ANY, 0..5),
    ) {
        let shape = orders()
            .metric(("Size", Unit::Bytes))
            .dimension_set(["Service", "Route"])
            .build()
            .unwrap();
        let dimensions: Vec<&str> = dimensions.iter().map(String::as_str).collect();
        let (line, ledger) = tail(&shape, &dimensions, &values);
        prop_assert_eq!(ledger.appended, values.len() as u64);
        prop_assert!(ledger.is_conserved());
        prop_assert_eq!(ledger.pending, 0);
        prop_assert_eq!(ledger.emitted > 0, line.get("_aws").is_some());
    }
}
