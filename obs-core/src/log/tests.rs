use std::collections::BTreeSet;

use proptest::prelude::*;
use tracing::Level;

use super::*;
use crate::clock::Timestamp;
use crate::id::{CorrelationId, SpanId, TraceId};

const TIME: Timestamp = Timestamp::from_unix_millis(1_767_225_600_000);

fn line(format: &LineFormat, message: &str, write: impl FnOnce(&mut Line<'_>)) -> String {
    let mut buffer = Vec::new();
    let mut line =
        Line::begin(&mut buffer, format, TIME, Level::WARN, format_args!("{message}"), "app");
    write(&mut line);
    line.finish();
    String::from_utf8(buffer).unwrap()
}

/// The members of one JSON object in their order, read without a map so that duplicates show.
fn keys_of(line: &str) -> Vec<String> {
    let mut keys = Vec::new();
    let mut rest = line.strip_prefix('{').unwrap();
    loop {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<serde_json::Value>();
        let key = values.next().unwrap().unwrap();
        rest = &rest[values.byte_offset()..];
        keys.push(key.as_str().unwrap().to_owned());
        rest = rest.strip_prefix(':').unwrap();
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<serde_json::Value>();
        values.next().unwrap().unwrap();
        rest = &rest[values.byte_offset()..];
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => break,
        }
    }
    assert_eq!(rest, "}");
    keys
}

#[test]
fn a_line_in_a_request_carries_the_ids_in_the_fixed_order() {
    let correlation = CorrelationId::parse(b"c-1").unwrap();
    let ids = Ids {
        correlation_id: Some(&correlation),
        trace_id: TraceId::from_hex("69559d80000102030405060708090a0b"),
        span_id: SpanId::from_hex("00f067aa0ba902b7"),
        tenant_id: Some("acme"),
        user_id: Some("u\"7"),
    };
    let line = line(&LineFormat::new("orders"), "paid", |line| {
        line.ids(&ids).bool("fast", true);
    });
    assert_eq!(
        line,
        concat!(
            r#"{"timestamp":"2026-01-01T00:00:00.000Z","level":"WARN","message":"paid","#,
            r#""target":"app","service":"orders","correlation_id":"c-1","#,
            r#""trace_id":"69559d80000102030405060708090a0b","span_id":"00f067aa0ba902b7","#,
            r#""xray_trace_id":"1-69559d80-000102030405060708090a0b","#,
            r#""tenant_id":"acme","user_id":"u\"7","fast":true}"#,
            "\n"
        )
    );
}

#[test]
fn the_first_of_two_fields_with_one_key_stays() {
    let mut fields = Fields::default();
    fields.set("step", "span");
    fields.set("cart", "c-9");
    let line = line(&LineFormat::new("s"), "m", |line| {
        line.str("step", "event").fields(&fields).u64("step", 3);
    });
    assert!(line.ends_with(",\"step\":\"event\",\"cart\":\"c-9\"}\n"), "{line}");
}

#[test]
fn numbers_that_json_cannot_express_are_null() {
    let line = line(&LineFormat::new("s"), "m", |line| {
        line.f64("nan", f64::NAN).f64("inf", f64::INFINITY).f64("half", 0.5);
        line.u64("max", u64::MAX).field("wide", ValueRef::I128(i128::MIN));
    });
    let tail = concat!(
        r#""nan":null,"inf":null,"half":0.5,"max":18446744073709551615,"#,
        r#""wide":"-170141183460469231731687303715884105728"}"#,
        "\n"
    );
    assert!(line.ends_with(tail), "{line}");
}

#[test]
fn a_tail_comes_last_and_whole() {
    let format = LineFormat::new("s").max_line_bytes(4_096).unwrap();
    let mut buffer = Vec::new();
    let mut line = Line::begin(&mut buffer, &format, TIME, Level::INFO, format_args!("m"), "app");
    line.str("long", &"x".repeat(3_940));
    line.finish_with(|out| out.extend_from_slice(br#","_aws":{},"Latency":12.5"#));
    let text = String::from_utf8(buffer).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].ends_with(",\"part\":1}"));
    assert!(lines[1].ends_with(r#","part":2,"_aws":{},"Latency":12.5}"#), "{}", lines[1]);
}

#[test]
fn several_tails_go_into_parts_with_the_same_head() {
    let format = LineFormat::new("s").max_line_bytes(4_096).unwrap();
    let mut buffer = Vec::new();
    let mut line = Line::begin(&mut buffer, &format, TIME, Level::INFO, format_args!("m"), "app");
    line.str("key", "value");
    let mut rooms = Vec::new();
    line.finish_with_tails(|out, room| {
        rooms.push(room);
        out.extend_from_slice(br#","_aws":{}"#);
        rooms.len() < 3
    });
    let text = String::from_utf8(buffer).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].ends_with(r#","key":"value","part":1,"_aws":{}}"#), "{}", lines[0]);
    assert!(lines[2].ends_with(r#","service":"s","part":3,"_aws":{}}"#), "{}", lines[2]);
    assert!(rooms[0].has_fields && !rooms[1].has_fields);
    assert!(rooms[0].bytes < rooms[1].bytes && rooms[1].bytes < 4_096);
}

#[test]
fn a_tail_that_never_writes_ends() {
    let format = LineFormat::new("s");
    let text = line(&format, "m", |line| {
        line.str("key", "value");
    });
    assert_eq!(text.lines().count(), 1);
    let mut buffer = Vec::new();
    let line = Line::begin(&mut buffer, &format, TIME, Level::INFO, format_args!("m"), "app");
    line.finish_with_tails(|_, _| true);
    assert_eq!(String::from_utf8(buffer).unwrap().lines().count(), 1);
}

#[test]
fn a_message_longer_than_the_line_is_cut_and_marked() {
    let format = LineFormat::new("s").max_line_bytes(4_096).unwrap();
    let line = line(&format, &"\u{1}".repeat(100_000), |_| {});
    assert!(line.len() <= 4_096);
    assert!(line.ends_with(",\"truncated\":true}\n"));
    keys_of(line.trim_end());
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        ("[a\u{0}\"\\\\\u{2028}é]{1,8}", 0_usize..1_000)
            .prop_map(|(text, n)| text.repeat(n).into()),
    ]
}

proptest! {
    #[test]
    fn any_input_gives_valid_lines_without_duplicates_or_raw_controls(
        message in any::<String>(),
        fields in prop::collection::vec((any::<String>(), any_value()), 0..40),
        encoded in prop::collection::vec((any::<String>(), any_value()), 0..10),
        repeated in prop::collection::vec(("[a-c]{0,2}|level|_aws|Trace-Id", any_value()), 0..20),
    ) {
        let format = LineFormat::new("s\"ervice").max_line_bytes(4_096).unwrap();
        let mut span = Fields::default();
        for (key, value) in encoded.iter().chain(&repeated) {
            span.set(key, value);
        }
        let text = line(&format, &message, |line| {
            line.ids(&Ids { tenant_id: Some(&message), ..Ids::default() });
            line.fields(&span);
            for (key, value) in fields.iter().chain(&repeated) {
                line.field(key, value.into());
            }
        });
        let mut seen = BTreeSet::new();
        for (part, line) in text.lines().enumerate() {
            prop_assert!(line.len() < 4_096);
            let raw = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
            prop_assert!(!line.chars().any(raw), "{}", line);
            let keys = keys_of(line);
            let unique: BTreeSet<_> = keys.iter().collect();
            prop_assert_eq!(unique.len(), keys.len(), "{}", line);
            prop_assert_eq!(&keys[..6], ["timestamp", "level", "message", "target", "service", "tenant_id"]);
            for key in &keys[6..] {
                let own = ["part", "truncated"].contains(&key.as_str());
                prop_assert!(own || seen.insert(key.clone()), "{} twice", key);
            }
            prop_assert_eq!(keys.contains(&"part".to_owned()), text.lines().count() > 1, "{}", part);
        }
    }
}
