//! X-Ray's rules for documents, written from its documentation and apart from the encoder, to judge
//! what that produces.

use serde_json::{Map, Value};

/// The rule that `bytes` breaks.
pub(super) fn broken(bytes: &[u8]) -> Option<String> {
    let document: Value = match serde_json::from_slice(bytes) {
        Ok(document) => document,
        Err(error) => return Some(format!("no JSON: {error}")),
    };
    let Some(document) = document.as_object() else { return Some("no object".to_owned()) };
    let checks: [(&str, bool); 9] = [
        ("size", bytes.len() <= 65_474),
        ("name", text(document, "name").is_some_and(is_name)),
        ("id", text(document, "id").is_some_and(|id| is_hex(id, 16))),
        ("trace_id", text(document, "trace_id").is_some_and(is_trace_id)),
        (
            "parent_id",
            document.get("parent_id").is_none()
                || text(document, "parent_id").is_some_and(|id| is_hex(id, 16)),
        ),
        ("times", are_times(document)),
        ("type", is_type(document)),
        ("http", are_http_fields_short(document)),
        ("annotations", document.get("annotations").is_none_or(are_annotations)),
    ];
    let links =
        document.get("links").is_none_or(|links| links.as_array().is_some_and(|l| l.len() <= 20));
    let broken = checks.iter().find(|(_, holds)| !holds).map(|(rule, _)| (*rule).to_owned());
    broken.or_else(|| (!links).then(|| "links".to_owned()))
}

fn text<'a>(document: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    document.get(key)?.as_str()
}

fn is_name(name: &str) -> bool {
    // Stricter than X-Ray for the scripts that tests use: ASCII, and letters by their case or block.
    let allowed = |c: char| {
        c.is_ascii_alphanumeric()
            || " _.:/%&#=+\\-@".contains(c)
            || c.is_lowercase()
            || c.is_uppercase()
            || c.is_alphabetic() && !('\u{300}'..='\u{36f}').contains(&c)
    };
    (1..=200).contains(&name.chars().count()) && name.chars().all(allowed)
}

fn is_hex(id: &str, length: usize) -> bool {
    id.len() == length && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

fn is_trace_id(id: &str) -> bool {
    let parts: Vec<_> = id.split('-').collect();
    matches!(&parts[..], ["1", epoch, rest] if is_hex(epoch, 8) && is_hex(rest, 24))
}

fn are_times(document: &Map<String, Value>) -> bool {
    let time = |key| document.get(key).and_then(Value::as_f64);
    matches!((time("start_time"), time("end_time")), (Some(start), Some(end)) if start <= end)
}

fn is_type(document: &Map<String, Value>) -> bool {
    let namespace = document.get("namespace").is_none_or(|n| n == "aws" || n == "remote");
    namespace
        && match document.get("type") {
            None => document.get("namespace").is_none(),
            Some(kind) => kind == "subsegment" && document.contains_key("parent_id"),
        }
}

fn are_http_fields_short(document: &Map<String, Value>) -> bool {
    let request = document.get("http").and_then(|http| http.get("request"));
    let Some(request) = request.and_then(Value::as_object) else { return true };
    request.values().all(|value| value.as_str().is_some_and(|text| text.chars().count() <= 250))
}

fn are_annotations(annotations: &Value) -> bool {
    let Some(annotations) = annotations.as_object() else { return false };
    annotations.len() <= 50
        && annotations.iter().all(|(key, value)| {
            let is_key = !key.is_empty()
                && key.len() <= 500
                && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.".contains(&b));
            let is_value = match value {
                Value::String(text) => text.chars().count() <= 1000,
                Value::Number(_) | Value::Bool(_) => true,
                _ => false,
            };
            is_key && is_value
        })
}
