//! The metrics that lines carry in Embedded Metric Format, for a person.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::record::lines::Line;

/// Namespace and dimensions.
type Series = (String, String);

/// What CloudWatch takes from the lines: for each namespace and set of dimensions, the values of
/// each metric, with its unit.
pub(super) fn summary(lines: &[&Line]) -> String {
    let mut all: BTreeMap<Series, Vec<(String, Vec<String>)>> = BTreeMap::new();
    for line in lines {
        for directive in directives(line) {
            let namespace = text(directive, "Namespace");
            for set in array(directive, "Dimensions") {
                let series = (namespace.to_owned(), dimensions(line, set));
                let metrics = all.entry(series).or_default();
                for metric in array(directive, "Metrics") {
                    let name = text(metric, "Name");
                    let titled = format!("{name} [{}]", text(metric, "Unit"));
                    let value = shown(line.get(name));
                    match metrics.iter_mut().find(|(title, _)| *title == titled) {
                        Some((_, values)) => values.push(value),
                        None => metrics.push((titled, vec![value])),
                    }
                }
            }
        }
    }
    all.iter()
        .map(|((namespace, dimensions), metrics)| row(namespace, dimensions, metrics))
        .collect()
}

fn row(namespace: &str, dimensions: &str, metrics: &[(String, Vec<String>)]) -> String {
    let metric = |(title, values): &(String, Vec<String>)| format!("{title} {}", values.join(", "));
    let metrics: Vec<_> = metrics.iter().map(metric).collect();
    format!("  {namespace:<10} {dimensions}\n  {:<10}   {}\n", "", metrics.join(" · "))
}

fn dimensions(line: &Line, set: &Value) -> String {
    let names = array_of(set).filter_map(Value::as_str);
    let dimensions = names.map(|name| format!("{name}={}", shown(line.get(name))));
    dimensions.collect::<Vec<_>>().join(" ")
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn directives(line: &Line) -> impl Iterator<Item = &Value> {
    let aws = line.get("_aws");
    aws.into_iter().flat_map(|aws| array(aws, "CloudWatchMetrics"))
}

fn array<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value.get(key).into_iter().flat_map(array_of)
}

fn array_of(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn shown(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) if number.is_f64() => {
            format!("{:.2}", number.as_f64().unwrap_or_default())
        }
        Some(value) => value.to_string(),
        None => "missing".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dimension_set_gets_the_metrics_of_its_directive() {
        let line = r#"{"_aws":{"CloudWatchMetrics":[{"Namespace":"shop","Dimensions":[["Service"],["Service","Route"]],"Metrics":[{"Name":"Latency","Unit":"Milliseconds"}]}]},"Service":"order","Route":"/orders","Latency":1.5}"#;
        let lines = crate::record::lines::parse(line);
        let summary = summary(&lines.iter().collect::<Vec<_>>());
        assert!(summary.contains("Service=order\n"), "{summary}");
        assert!(summary.contains("Service=order Route=/orders\n"), "{summary}");
        assert_eq!(summary.matches("Latency [Milliseconds] 1.50").count(), 2, "{summary}");
    }
}
