use std::collections::BTreeSet;

use serde_json::Value;

use crate::declare::Shape;

/// What is wrong with a dashboard.
///
/// ```
/// use obs_emf::dashboard::check;
///
/// let body = serde_json::json!({ "widgets": [{
///     "type": "metric",
///     "properties": { "title": "Orders" },
/// }] });
/// let problems = check(&body, &[]);
/// assert_eq!(problems[0].widget, "Orders");
/// assert!(!problems[0].message.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The title of the widget.
    pub widget: String,
    /// What is wrong.
    pub message: String,
}

/// Holds a dashboard's body against declarations: every metric in a namespace of theirs must be
/// declared with exactly one of its dimension sets, every expression must use ids that there are,
/// and every widget must lie on the grid.
///
/// Metrics of other namespaces, such as AWS's own, are not judged.
///
/// ```
/// use obs_emf::dashboard::{Watch, check};
/// use obs_emf::request::RequestMetrics;
///
/// let metrics = RequestMetrics::builder("orders", "prod").namespace("Shop").build()?;
/// let watch = Watch::new(&metrics, "orders", "prod");
/// assert_eq!(check(&watch.dashboard(), &[metrics.shape()]), []);
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[must_use]
pub fn check(body: &Value, shapes: &[&Shape]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let Some(widgets) = body["widgets"].as_array() else {
        let message = "the body has no array of widgets".to_owned();
        return vec![Problem { widget: String::new(), message }];
    };
    for widget in widgets {
        let mut found = Vec::new();
        grid(widget, &mut found);
        match widget["type"].as_str() {
            Some("metric") => metrics(&widget["properties"], shapes, &mut found),
            Some("log") if !widget["properties"]["query"].is_string() => {
                found.push("a log widget without a query".to_owned());
            }
            Some("alarm") if !widget["properties"]["alarms"].is_array() => {
                found.push("an alarm widget without alarms".to_owned());
            }
            Some("log" | "alarm" | "text") => {}
            other => found.push(format!("the type {other:?}")),
        }
        let title = widget["properties"]["title"].as_str().unwrap_or("untitled");
        let problem = |message| Problem { widget: title.to_owned(), message };
        problems.extend(found.into_iter().map(problem));
    }
    problems
}

fn grid(widget: &Value, found: &mut Vec<String>) {
    let side = |name: &str| widget[name].as_u64();
    let fits = match (side("x"), side("width"), side("height")) {
        (Some(x), Some(width), Some(height)) => {
            width > 0 && x + width <= 24 && (1..=1_000).contains(&height)
        }
        _ => false,
    };
    if !fits {
        found.push("does not lie on the grid of 24 columns".to_owned());
    }
}

fn metrics(properties: &Value, shapes: &[&Shape], found: &mut Vec<String>) {
    let Some(rows) = properties["metrics"].as_array() else {
        found.push("a metric widget without metrics".to_owned());
        return;
    };
    let options = |row: &Value| row.as_array().and_then(|row| row.last().cloned());
    let ids: BTreeSet<String> =
        rows.iter().filter_map(|row| options(row)?["id"].as_str().map(str::to_owned)).collect();
    for row in rows {
        let row = row.as_array().map(Vec::as_slice).unwrap_or_default();
        let texts: Vec<&str> = row.iter().map_while(Value::as_str).collect();
        if let [namespace, name, dimensions @ ..] = texts.as_slice() {
            declared(namespace, name, dimensions, shapes, found);
        }
        if let Some(expression) = row.last().and_then(|options| options["expression"].as_str()) {
            match expression.strip_prefix("SEARCH('") {
                Some(search) => searched(search, shapes, found),
                None => expression_ids(expression, &ids, found),
            }
        }
    }
}

/// A search for a metric by the names of its dimensions: `{"Shop","Service"} MetricName="Latency"`.
fn searched(search: &str, shapes: &[&Shape], found: &mut Vec<String>) {
    let parts = search.strip_prefix('{').and_then(|rest| rest.split_once('}'));
    let name =
        |filter: &str| Some(filter.split_once("MetricName=\"")?.1.split_once('"')?.0.to_owned());
    let Some((schema, name)) = parts.and_then(|(schema, rest)| Some((schema, name(rest)?))) else {
        found.push(format!("{search:?} names no dimensions and metric"));
        return;
    };
    let mut schema = schema.split(',').map(|part| part.trim_matches('"'));
    let namespace = schema.next().unwrap_or_default();
    // As pairs with values, of which a search has none.
    let dimensions: Vec<&str> = schema.flat_map(|name| [name, ""]).collect();
    declared(namespace, &name, &dimensions, shapes, found);
}

fn declared(
    namespace: &str,
    name: &str,
    dimensions: &[&str],
    shapes: &[&Shape],
    found: &mut Vec<String>,
) {
    if !dimensions.len().is_multiple_of(2) {
        found.push(format!("{name}: a dimension without a value"));
        return;
    }
    let names: BTreeSet<&str> = dimensions.iter().step_by(2).copied().collect();
    let mut of_namespace = shapes.iter().filter(|shape| shape.namespace() == namespace).peekable();
    if of_namespace.peek().is_none() {
        return;
    }
    let mut with_metric = of_namespace
        .filter(|shape| shape.metrics().iter().any(|metric| metric.name() == name))
        .peekable();
    if with_metric.peek().is_none() {
        found.push(format!("{name} is not declared in {namespace}"));
    } else if !with_metric.any(|shape| {
        shape.dimension_sets().any(|set| set.into_iter().collect::<BTreeSet<_>>() == names)
    }) {
        found.push(format!("{name} is not declared with the dimensions {names:?}"));
    }
}

/// Ids in metric math begin with a lower-case letter; functions are written in upper case.
fn expression_ids(expression: &str, ids: &BTreeSet<String>, found: &mut Vec<String>) {
    let is_part = |char: char| char.is_ascii_alphanumeric() || char == '_';
    for word in expression.split(|char| !is_part(char)) {
        let is_id = word.starts_with(|char: char| char.is_ascii_lowercase());
        if is_id && !ids.contains(word) {
            found.push(format!("{expression:?} uses {word}, which there is not"));
        }
    }
}
