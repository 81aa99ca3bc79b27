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
    invariants::keys_of(line.trim_end());
}

/// A text as [`invariants`] reads it: its length, how often it is repeated, its bytes.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let text = prop_oneof!["\\PC{0,20}", "[a\u{0}\"\\\\\u{2028}é]{1,8}", "[a-c]{0,2}"];
    let times = prop_oneof![4 => Just(1_u8), 1 => any::<u8>()];
    (text, times).prop_map(|(text, times)| [&[text.len() as u8, times], text.as_bytes()].concat())
}

/// A field as [`invariants`] reads it: its key, its value, and whether a span has it.
fn field() -> impl Strategy<Value = Vec<u8>> {
    let key = prop_oneof![
        (0_u8..8).prop_map(|known| vec![known]),
        text().prop_map(|text| [&[255], &text[..]].concat()),
    ];
    let value = prop_oneof![
        (0_u8..6, any::<[u8; 8]>()).prop_map(|(kind, bytes)| {
            let length = [0, 1, 8, 8, 8, 0][usize::from(kind)];
            [&[kind], &bytes[..length]].concat()
        }),
        text().prop_map(|text| [&[7], &text[..]].concat()),
    ];
    (key, value, any::<u8>()).prop_map(|(key, value, of_span)| [key, value, vec![of_span]].concat())
}

proptest! {
    #[test]
    fn any_input_gives_valid_lines_without_duplicates_or_raw_controls(
        texts in prop::collection::vec(text(), 3),
        tail_and_time in any::<[u8; 9]>(),
        fields in prop::collection::vec(field(), 0..60),
    ) {
        let input = [texts.concat(), tail_and_time.to_vec(), fields.concat()].concat();
        invariants::line(&input);
    }

    #[test]
    fn any_bytes_give_valid_lines(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        invariants::line(&bytes);
    }
}
