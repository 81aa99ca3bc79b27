use super::*;

/// A good line with one part of it exchanged.
fn with(part: &str, by: &str) -> LineReport {
    const GOOD: &str = concat!(
        r#"{"level":"INFO","_aws":{"Timestamp":1767225600000,"CloudWatchMetrics":[{"#,
        r#""Namespace":"Shop","Dimensions":[["Service"]],"Metrics":[{"Name":"Latency","#,
        r#""Unit":"Milliseconds"}]}]},"Service":"orders","Latency":12.5}"#
    );
    assert!(GOOD.contains(part));
    let now = Timestamp::from_unix_millis(1_767_225_600_000);
    Linter::default().now(now).line(&GOOD.replace(part, by))
}

fn broken(part: &str, by: &str) -> Rule {
    let report = with(part, by);
    assert!(report.is_rejected() && report.points.is_empty(), "{report:?}");
    report.findings[0].rule
}

#[test]
fn a_good_line_makes_its_series() {
    let report = with("INFO", "INFO");
    assert_eq!(report.findings, []);
    let [point] = report.points.as_slice() else { panic!("{report:?}") };
    assert_eq!(point.series.namespace, "Shop");
    assert_eq!(point.series.name, "Latency");
    assert_eq!(point.series.dimensions, BTreeMap::from([("Service".into(), "orders".into())]));
    assert_eq!((point.unit.as_str(), point.resolution), ("Milliseconds", 60));
    assert_eq!(point.values, [(12.5, 1.0)]);
}

#[test]
fn a_line_without_metadata_is_an_ordinary_line() {
    let report = Linter::default().line(r#"{"message":"hello"}"#);
    assert!(!report.has_metrics && report.findings.is_empty());
}

#[test]
fn each_rule_has_a_line_that_breaks_it() {
    let many = |count: usize, item: fn(usize) -> String| {
        (0..count).map(item).collect::<Vec<_>>().join(",")
    };
    let metrics = many(101, |n| format!(r#"{{"Name":"M{n}"}}"#));
    let dimensions = many(31, |n| format!(r#""D{n}""#));
    let numbers = format!("[{}]", many(101, |n| n.to_string()));
    for (part, by, rule) in [
        ("}]}]}", "}]}", Rule::E1),
        ("\"CloudWatchMetrics\":[", "\"CloudWatchMetrics\":3,\"x\":[", Rule::E3),
        ("1767225600000", "1767225600000.5", Rule::E4),
        ("1767225600000", "\"1767225600000\"", Rule::E4),
        ("1767225600000", "1766015999999", Rule::E4),
        ("1767225600000", "1767240000000", Rule::E4),
        ("\"Namespace\":\"Shop\",", "", Rule::E5),
        ("\"Shop\"", "\"AWS/Shop\"", Rule::E6),
        ("\"Shop\"", "\"\"", Rule::E6),
        ("[[\"Service\"]]", "[]", Rule::E7),
        ("[\"Service\"]", &format!("[{dimensions}]"), Rule::E8),
        ("\"orders\"", "\"\"", Rule::E9),
        ("\"orders\"", "7", Rule::E9),
        ("\"orders\"", "\"zürich\"", Rule::E9),
        ("\"Service\":\"orders\",", "", Rule::E9),
        ("{\"Name\":\"Latency\",\"Unit\":\"Milliseconds\"}", &metrics, Rule::E11),
        ("\"Name\":\"Latency\"", "\"Name\":\" \"", Rule::E12),
        ("12.5", "\"12.5\"", Rule::E13),
        ("12.5", "null", Rule::E13),
        ("12.5", "[]", Rule::E13),
        ("12.5", &numbers, Rule::E13),
        ("12.5", r#"{"Values":[1,2],"Counts":[1]}"#, Rule::E14),
        ("12.5", "1e300", Rule::E15),
        ("12.5", "[1,1e-300]", Rule::E15),
        ("\"Latency\":12.5", "\"Other\":1", Rule::E16),
        ("\"Milliseconds\"", "\"Nanoseconds\"", Rule::E17),
        ("\"Milliseconds\"", "\"None\",\"StorageResolution\":5", Rule::E18),
        ("\"level\":\"INFO\"", "\"Latency\":1", Rule::E19),
    ] {
        assert_eq!(broken(part, by), rule, "{by}");
    }
    let long = format!("\"{}\"", "x".repeat(1024 * 1024));
    assert_eq!(broken("\"INFO\"", &long), Rule::E2);
}

#[test]
fn a_set_that_comes_twice_and_a_late_field_are_warnings() {
    let report = with("[[\"Service\"]]", "[[\"Service\"],[\"Service\"]]");
    assert!(!report.is_rejected());
    assert_eq!(report.findings[0].rule, Rule::E10);
    let list = (0..300).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let report = with("\"INFO\"", &format!("[{list}]"));
    assert_eq!(report.findings[0].rule, Rule::E21);
}

#[test]
fn values_with_counts_and_several_sets_count_for_each_series() {
    let report = with("12.5}", r#"{"Values":[1,2],"Counts":[3,4]}}"#);
    let mut summary = Summary::default();
    summary.add(&report);
    summary.add(&with("[\"Service\"]", "[],[\"Service\"]"));
    assert_eq!(summary.points, 9.0);
    assert_eq!(summary.series().len(), 2);
    assert!(summary.to_string().contains("2 series, 9 data points"));
}
