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

fn many(count: usize, item: fn(usize) -> String) -> String {
    (0..count).map(item).collect::<Vec<_>>().join(",")
}

/// Parts of the good line, and by what they are exchanged so that it breaks the rule.
macro_rules! breaks {
    ($($name:ident: $rule:ident { $($part:expr => $by:expr),+ $(,)? })+) => {$(
        #[test]
        fn $name() {
            $(assert_eq!(broken($part, $by), Rule::$rule, "{}", $by);)+
        }
    )+};
}

breaks! {
    emf_e1_a_line_is_one_json_object: E1 {
        "}]}]}" => "}]}",
        "{\"level\"" => "x{\"level\"",
        "12.5}" => "12.5}{}",
    }
    emf_e2_a_line_is_no_longer_than_it_can_travel: E2 {
        "\"INFO\"" => &format!("\"{}\"", "x".repeat(1024 * 1024)),
    }
    emf_e3_the_metadata_has_an_array_of_directives: E3 {
        "\"CloudWatchMetrics\":[" => "\"CloudWatchMetrics\":3,\"x\":[",
    }
    emf_e4_the_time_is_a_recent_integer_of_milliseconds: E4 {
        "1767225600000" => "1767225600000.5",
        "1767225600000" => "\"1767225600000\"",
        "1767225600000" => "1766015999999",
        "1767225600000" => "1767240000000",
        "\"Timestamp\":1767225600000," => "",
    }
    emf_e5_a_directive_has_its_three_members: E5 {
        "\"Namespace\":\"Shop\"," => "",
        "\"Dimensions\":[[\"Service\"]]," => "",
        "\"Metrics\"" => "\"metrics\"",
    }
    emf_e6_a_namespace_has_1_to_255_characters_and_is_not_that_of_aws: E6 {
        "\"Shop\"" => "\"AWS/Shop\"",
        "\"Shop\"" => "\"\"",
        "\"Shop\"" => "\" \"",
        "\"Shop\"" => "\":Shop\"",
        "\"Shop\"" => &format!("\"{}\"", "n".repeat(256)),
    }
    emf_e7_there_is_at_least_one_dimension_set: E7 {
        "[[\"Service\"]]" => "[]",
    }
    emf_e8_a_set_has_at_most_30_good_names: E8 {
        "[\"Service\"]" => &format!("[{}]", many(31, |n| format!(r#""D{n}""#))),
        "[\"Service\"]" => "[\"\"]",
        "[\"Service\"]" => "[\":Service\"]",
        "[\"Service\"]" => &format!("[\"{}\"]", "d".repeat(251)),
        "[\"Service\"]" => "[\"Service\",\"Service\"]",
    }
    emf_e9_a_dimension_is_a_string_of_the_root: E9 {
        "\"orders\"" => "\"\"",
        "\"orders\"" => "\" \"",
        "\"orders\"" => "7",
        "\"orders\"" => "\"zürich\"",
        "\"orders\"" => &format!("\"{}\"", "v".repeat(1025)),
        "\"Service\":\"orders\"," => "",
    }
    emf_e11_a_directive_defines_at_most_100_metrics: E11 {
        "{\"Name\":\"Latency\",\"Unit\":\"Milliseconds\"}" =>
            &many(101, |n| format!(r#"{{"Name":"M{n}"}}"#)),
    }
    emf_e12_a_metric_has_a_name_of_1_to_255_characters: E12 {
        "\"Name\":\"Latency\"" => "\"Name\":\" \"",
        "\"Name\":\"Latency\"" => "\"Name\":7",
        "\"Name\":\"Latency\"" => &format!("\"Name\":\"{}\"", "M".repeat(256)),
    }
    emf_e13_a_metric_is_a_number_or_at_most_100_of_them: E13 {
        "12.5" => "\"12.5\"",
        "12.5" => "null",
        "12.5" => "true",
        "12.5" => "[]",
        "12.5" => "[[1]]",
        "12.5" => &format!("[{}]", many(101, |n| n.to_string())),
    }
    emf_e14_values_and_counts_are_equally_long: E14 {
        "12.5" => r#"{"Values":[1,2],"Counts":[1]}"#,
        "12.5" => r#"{"Values":[],"Counts":[]}"#,
        "12.5" => r#"{"Values":[1],"Counts":[0]}"#,
        "12.5" => &format!("{{\"Values\":[{0}],\"Counts\":[{0}]}}", many(101, |n| (n + 1).to_string())),
    }
    emf_e15_numbers_are_within_the_range_of_cloudwatch: E15 {
        "12.5" => "1e300",
        "12.5" => "[1,1e-300]",
    }
    emf_e16_a_defined_metric_is_in_the_root: E16 {
        "\"Latency\":12.5" => "\"Other\":1",
    }
    emf_e17_a_unit_is_one_of_cloudwatch: E17 {
        "\"Milliseconds\"" => "\"Nanoseconds\"",
        "\"Milliseconds\"" => "7",
    }
    emf_e18_a_resolution_is_1_or_60_and_one_for_each_metric: E18 {
        "\"Milliseconds\"" => "\"None\",\"StorageResolution\":5",
        "{\"Name\"" => "{\"Name\":\"Latency\",\"StorageResolution\":1},{\"Name\"",
    }
    emf_e19_no_member_comes_twice: E19 {
        "\"level\":\"INFO\"" => "\"Latency\":1",
        "{\"Name\"" => "{\"Name\":\"Latency\"},{\"Name\"",
    }
}

#[test]
fn emf_e3_and_e20_other_members_may_be_anything() {
    for value in ["null", "{\"a\":[1,{}]}", "[true]", "7"] {
        assert!(!with("\"INFO\"", value).is_rejected());
    }
    assert!(!with("\"_aws\":{", "\"_aws\":{\"LogGroupName\":\"/a\",\"Else\":1,").is_rejected());
}

#[test]
fn emf_e10_and_e21_a_set_that_comes_twice_and_a_late_field_are_warnings() {
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
