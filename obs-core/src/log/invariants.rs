//! What holds for every line: one body for the property test and the fuzz target.

use std::collections::BTreeSet;

use tracing::Level;

use super::{Fields, Ids, Line, LineFormat, REDACTED, Value, ValueRef};
use crate::clock::Timestamp;
use crate::fuzz::Input;

const MAX_LINE_BYTES: usize = 4_096;

/// Whatever the message, the fields and the tail: each part is one JSON object within the limit,
/// has the head and the ids first, no key twice, no raw control character or line separator, no
/// value under a hidden key, and `part` exactly if there are several; no key stands in two parts,
/// and the tail is there, whole, in the last.
///
/// # Panics
/// If it does not.
pub fn line(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let format = LineFormat::new(&input.text()).max_line_bytes(MAX_LINE_BYTES);
    let format = format.expect("it is not below the least");
    let (message, tenant) = (input.text(), input.text());
    let has_tail = input.byte() > 127;
    let mut of_span = Fields::default();
    let mut buffer = Vec::new();
    let time = Timestamp::from_unix_nanos(input.number());
    let arguments = format_args!("{message}");
    let mut line = Line::begin(&mut buffer, &format, time, Level::WARN, arguments, "app");
    line.ids(&Ids { tenant_id: Some(&tenant), ..Ids::default() });
    while !input.is_empty() {
        field(&mut input, &mut line, &mut of_span);
    }
    line.fields(&of_span);
    line.finish_with(|out| {
        if has_tail {
            out.extend_from_slice(br#","_aws":{},"Latency":1"#);
        }
    });

    let text = std::str::from_utf8(&buffer).expect("a line is UTF-8");
    assert!(text.ends_with('\n'));
    let count = text.lines().count();
    let mut seen = BTreeSet::new();
    for (part, line) in text.lines().enumerate() {
        let is_last = part + 1 == count;
        check_part(line, count > 1, has_tail && is_last, &mut seen);
    }
}

/// One field, among those of a span or on the line itself.
fn field(input: &mut Input<'_>, line: &mut Line<'_>, of_span: &mut Fields) {
    const KNOWN: [&str; 8] =
        ["level", "_aws", "Trace-Id", "password", "part", "a", "b", "card_number"];
    let index = usize::from(input.byte());
    let key = KNOWN.get(index).map_or_else(|| input.text(), |known| (*known).to_owned());
    let value = match input.byte() % 8 {
        0 => Value::Null,
        1 => Value::from(input.byte() > 127),
        2 => Value::from(input.number()),
        3 => Value::from(input.number().cast_signed()),
        4 => Value::from(f64::from_bits(input.number())),
        5 => Value::from("4111 1111 1111 1111"),
        _ => Value::from(input.text()),
    };
    if input.byte() > 127 {
        of_span.set(&key, &value);
    } else {
        line.field(&key, ValueRef::from(&value));
    }
}

fn check_part(line: &str, in_parts: bool, has_tail: bool, seen: &mut BTreeSet<String>) {
    const HEAD: [&str; 6] = ["timestamp", "level", "message", "target", "service", "tenant_id"];
    assert!(line.len() < MAX_LINE_BYTES, "{} bytes", line.len());
    let is_raw = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    assert!(!line.chars().any(is_raw), "{line}");
    let keys = keys_of(line);
    let object: serde_json::Value = serde_json::from_str(line).expect("it was read once");
    for key in ["password", "card_number"] {
        assert!(object.get(key).is_none_or(|value| value == REDACTED), "{line}");
    }
    assert_eq!(&keys[..HEAD.len()], HEAD, "{line}");
    assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "{line}");
    assert_eq!(keys.iter().any(|key| key == "part"), in_parts, "{line}");
    assert_eq!(line.ends_with(r#","_aws":{},"Latency":1}"#), has_tail, "{line}");
    for key in &keys[HEAD.len()..] {
        let of_line = ["part", "truncated"].contains(&key.as_str());
        assert!(of_line || seen.insert(key.clone()), "{key} stands in two parts");
    }
}

/// The members of one JSON object in their order, read without a map so that duplicates show.
///
/// # Panics
/// If it is none.
pub(super) fn keys_of(line: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut rest = line.strip_prefix('{').expect("an object opens");
    loop {
        let key = next_value(&mut rest);
        keys.push(key.as_str().expect("a key is text").to_owned());
        rest = rest.strip_prefix(':').expect("a colon follows a key");
        next_value(&mut rest);
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => break,
        }
    }
    assert_eq!(rest, "}", "an object closes");
    keys
}

fn next_value(rest: &mut &str) -> serde_json::Value {
    let mut values = serde_json::Deserializer::from_str(rest).into_iter();
    let value = values.next().expect("a value stands here").expect("it is JSON");
    *rest = &rest[values.byte_offset()..];
    value
}
