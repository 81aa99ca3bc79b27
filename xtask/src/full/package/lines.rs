//! The lines that a service printed are those that a document shows, member by member.

use std::collections::BTreeSet;

use serde_json::Value;

use super::page::Page;
use crate::command::{Failure, Outcome};

/// Holds what was printed against the JSON of the page, whatever the order: checks of dependencies
/// and requests go on side by side.
pub(super) fn compare(printed: &[Value], page: &Page) -> Outcome {
    let shown = page.blocks("json").map(parse).collect::<Outcome<Vec<Value>>>()?;
    let masked = |lines: &[Value]| {
        let lines = lines.iter().cloned().map(|line| mask(line).to_string());
        lines.collect::<BTreeSet<_>>()
    };
    if masked(printed) == masked(&shown) {
        return Ok(());
    }
    let printed: Vec<String> = printed.iter().map(Value::to_string).collect();
    Err(Failure::new(format!("{} shows other lines than\n{}", page.path, printed.join("\n"))))
}

pub(super) fn parse(json: &str) -> Outcome<Value> {
    serde_json::from_str(json).map_err(|error| Failure::new(format!("{error}: {json}")))
}

/// The line with what differs from run to run made the same.
fn mask(mut line: Value) -> Value {
    for id in ["timestamp", "correlation_id", "trace_id", "span_id", "xray_trace_id"] {
        blank(&mut line, id);
    }
    for time in ["duration_ms", "ttfb_ms", "Latency"] {
        blank(&mut line, time);
    }
    blank(&mut line["_aws"], "Timestamp");
    line
}

fn blank(object: &mut Value, member: &str) {
    if let Some(value) = object.as_object_mut().and_then(|object| object.get_mut(member)) {
        *value = Value::from(if value.is_number() { "a number" } else { "text" });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_and_ids_may_differ_and_nothing_else() {
        let line = |id: &str, status| json!({ "trace_id": id, "status": status, "_aws": {} });
        assert_eq!(mask(line("a", 200)), mask(line("b", 200)));
        assert_ne!(mask(line("a", 200)), mask(line("a", 500)));
    }

    #[test]
    fn a_number_that_became_text_is_seen() {
        assert_ne!(mask(json!({ "Latency": 1 })), mask(json!({ "Latency": "1" })));
    }
}
