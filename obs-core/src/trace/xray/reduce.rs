//! How a document that is too large becomes smaller.

use serde_json::{Map, Value};

use super::clean::{MAX_ANNOTATION, shortened};

/// Takes something out of a document that is `excess` bytes too large; `false` if there was nothing.
pub(super) type Reduction = fn(&mut Map<String, Value>, usize) -> bool;

/// What is taken out of a document that is too large, in this order.
pub(super) const REDUCTIONS: [(&str, Reduction); 7] = [
    ("metadata", |document, _| document.remove("metadata").is_some()),
    ("stack", |document, _| {
        exceptions(document).filter_map(|exception| exception.remove("stack")).count() > 0
    }),
    ("sql", |document, _| {
        let sql = document.get_mut("sql").and_then(Value::as_object_mut);
        let query = sql.and_then(|sql| sql.get_mut("sanitized_query"));
        shorten(query, MAX_ANNOTATION)
    }),
    ("annotations", drop_annotations),
    ("messages", |document, _| {
        let messages = exceptions(document).filter_map(|exception| exception.get_mut("message"));
        messages.filter_map(|message| shorten(Some(message), 100).then_some(())).count() > 0
    }),
    ("links", |document, _| document.remove("links").is_some()),
    ("all but identity", |document, _| {
        const KEPT: [&str; 12] = [
            "name",
            "id",
            "trace_id",
            "parent_id",
            "start_time",
            "end_time",
            "type",
            "namespace",
            "error",
            "throttle",
            "fault",
            "origin",
        ];
        document.retain(|key, _| KEPT.contains(&key.as_str()));
        true
    }),
];

fn exceptions(
    document: &mut Map<String, Value>,
) -> impl Iterator<Item = &mut Map<String, Value>> + '_ {
    document
        .get_mut("cause")
        .and_then(|cause| cause.get_mut("exceptions"))
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object_mut)
}

fn shorten(text: Option<&mut Value>, max: usize) -> bool {
    let Some(Value::String(text)) = text else { return false };
    let end = shortened(text, max).len();
    let shorter = end < text.len();
    text.truncate(end);
    shorter
}

/// From the last on, as many as the excess is worth.
fn drop_annotations(document: &mut Map<String, Value>, excess: usize) -> bool {
    let annotations = document.get_mut("annotations").and_then(Value::as_object_mut);
    let Some(annotations) = annotations else { return false };
    let mut freed = 0;
    // The note about it takes some bytes itself.
    while freed < excess.saturating_add(64) {
        let Some(last) = annotations.keys().next_back().cloned() else { break };
        let value = annotations.remove(&last).unwrap_or_default();
        freed += last.len() + value.to_string().len() + 4;
    }
    freed > 0
}
