//! The lines of a correlation id, for a person.

use std::ops::Deref;

use serde_json::{Map, Value};

use crate::paint::Paint;

/// A line, as it was written and read back.
#[derive(Debug)]
pub struct Line {
    pub(crate) raw: String,
    members: Map<String, Value>,
}

impl Line {
    /// The line as JSON.
    pub(crate) fn to_value(&self) -> Value {
        Value::Object(self.members.clone())
    }
}

impl Deref for Line {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Self::Target {
        &self.members
    }
}

/// Everything that is an object; the output of the services is nothing else.
pub(crate) fn parse(text: &str) -> Vec<Line> {
    let line = |line: &str| {
        let members = serde_json::from_str(line).ok()?;
        Some(Line { raw: line.to_owned(), members })
    };
    text.lines().filter_map(line).collect()
}

/// The lines of one correlation id, in the order of their times.
pub(crate) fn of<'a>(lines: &'a [Line], correlation_id: &str) -> Vec<&'a Line> {
    let is_of = |line: &&Line| text(line, "correlation_id") == correlation_id;
    let mut lines: Vec<_> = lines.iter().filter(is_of).collect();
    // Stable: lines of the same millisecond stay in the order in which they were written.
    lines.sort_by_key(|line| text(line, "timestamp"));
    lines
}

pub(crate) fn text<'a>(line: &'a Line, key: &str) -> &'a str {
    line.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// What a request line says in columns, and what else stands for itself elsewhere in the story.
const SHOWN: [&str; 20] = [
    "timestamp",
    "level",
    "message",
    "target",
    "service",
    "correlation_id",
    "trace_id",
    "span_id",
    "xray_trace_id",
    "method",
    "route",
    "status",
    "duration_ms",
    "outcome",
    "ttfb_ms",
    "request_bytes",
    "response_bytes",
    "client_address",
    "user_agent",
    "_aws",
];

/// One row per line.
pub(crate) fn rows(lines: &[&Line], paint: Paint) -> String {
    lines.iter().map(|line| row(line, paint)).collect()
}

fn row(line: &Line, paint: Paint) -> String {
    let time = text(line, "timestamp").get(11..23).unwrap_or_default();
    let what = match line.get("status").and_then(Value::as_u64) {
        Some(status) if line.contains_key("route") || line.contains_key("method") => {
            let took = line.get("duration_ms").and_then(Value::as_f64).unwrap_or_default();
            let (method, route) = (text(line, "method"), text(line, "route"));
            let status = if status < 400 { paint.good(status) } else { paint.bad(status) };
            format!("{status} {method:<6} {route:<30} {took:>7.1} ms")
        }
        _ => text(line, "message").to_owned(),
    };
    let metric = |key: &str| key.starts_with(|first: char| first.is_ascii_uppercase());
    let rest = line.iter().filter(|(key, _)| !SHOWN.contains(&key.as_str()) && !metric(key));
    let rest: Vec<_> = rest.map(|(key, value)| format!("{key}={}", plain(value))).collect();
    format!(
        "  {}  {:<12}  {:<5}  {what}  {}\n",
        paint.dim(time),
        text(line, "service"),
        text(line, "level"),
        paint.dim(rest.join(" "))
    )
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_lines_of_the_id_are_told_and_in_the_order_of_their_times() {
        let lines = parse(
            r#"{"timestamp":"2026-01-01T00:00:00.002Z","correlation_id":"a","message":"second"}
not a line
{"timestamp":"2026-01-01T00:00:00.001Z","correlation_id":"a","message":"first"}
{"timestamp":"2026-01-01T00:00:00.000Z","correlation_id":"b","message":"other"}"#,
        );
        let told: Vec<_> = of(&lines, "a").iter().map(|line| text(line, "message")).collect();
        assert_eq!(told, ["first", "second"]);
    }

    #[test]
    fn a_request_line_becomes_a_row() {
        let lines = parse(
            r#"{"timestamp":"2026-01-01T00:00:00.002Z","level":"INFO","service":"order","method":"POST","route":"/orders","status":201,"duration_ms":3.25,"order_id":"o1","Latency":3.25}"#,
        );
        let row = row(&lines[0], Paint::new(false));
        for part in ["00:00:00.002", "order", "201 POST", "/orders", "3.2 ms", "order_id=o1"] {
            assert!(row.contains(part), "{part}: {row}");
        }
        assert!(!row.contains("Latency"));
    }
}
