//! [W3C Trace Context level 2](https://www.w3.org/TR/trace-context-2/), section by section.

use super::*;

/// What becomes of the incoming headers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Verdict {
    /// A new trace is started.
    New,
    /// The trace is continued, with these flags and this state sent on.
    Continued { flags: &'static str, state: Option<&'static str> },
}

use Verdict::{Continued, New};

const SAMPLED: Verdict = Continued { flags: "01", state: None };
const UNSAMPLED: Verdict = Continued { flags: "00", state: None };

const fn with_state(state: &'static str) -> Verdict {
    Continued { flags: "01", state: Some(state) }
}

fn check(rule: &str, headers: &[(&str, &str)], expected: Verdict) {
    let extracted = extract(headers);
    let sent = sent_on(&extracted, &TrustPolicy::internal());
    let traceparent = value(&sent, "traceparent").unwrap();
    let state = value(&sent, "tracestate");
    match expected {
        New => {
            assert_eq!(extracted.parent, None, "{rule}: {headers:?}");
            assert_eq!(state, None, "{rule}: no state without a parent: {headers:?}");
        }
        Continued { flags, state: expected_state } => {
            let parent = extracted.parent.unwrap_or_else(|| panic!("{rule}: {headers:?}"));
            assert_eq!(parent.parent_span.unwrap().to_hex(), "00f067aa0ba902b7", "{rule}");
            let expected = format!("00-{TRACE}-b7ad6b7169203331-{flags}");
            assert_eq!(traceparent, expected, "{rule}: {headers:?}");
            assert_eq!(state, expected_state, "{rule}: {headers:?}");
        }
    }
}

#[test]
fn traceparent_rules() {
    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";
    let cases: &[(&str, &[String], Verdict)] = &[
        ("3.2.2 version-format", &[format!("00-{ID}-01")], SAMPLED),
        ("3.2.2.5 sampled flag clear", &[format!("00-{ID}-00")], UNSAMPLED),
        ("3.2.2.5 random flag", &[format!("00-{ID}-03")], Continued { flags: "03", state: None }),
        (
            "3.2.2.5 random flag alone",
            &[format!("00-{ID}-02")],
            Continued { flags: "02", state: None },
        ),
        (
            "3.2.2.5 other flags are zeroed",
            &[format!("00-{ID}-ff")],
            Continued { flags: "03", state: None },
        ),
        ("3.2.2.5 other flags are zeroed", &[format!("00-{ID}-fc")], UNSAMPLED),
        ("3.2.2.1 version ff", &[format!("ff-{ID}-01")], New),
        ("3.2.2.1 version in upper case", &[format!("FE-{ID}-01")], New),
        ("3.2.2.1 version of one digit", &[format!("0-{ID}-01")], New),
        ("3.2.2.1 version of three digits", &[format!("000-{ID}-01")], New),
        ("3.2.2.1 version that is no number", &[format!(".0-{ID}-01")], New),
        ("3.2.2.1 version that is no number", &[format!("0.-{ID}-01")], New),
        ("3.2.2 version 00 is 55 characters", &[format!("00-{ID}-01-")], New),
        ("3.2.2 version 00 is 55 characters", &[format!("00-{ID}-01-what-else")], New),
        ("3.2.2 version 00 is 55 characters", &[format!("00-{ID}-010")], New),
        ("3.2.4 a later version is read as 00", &[format!("cc-{ID}-01")], SAMPLED),
        (
            "3.2.4 a later version may be longer",
            &[format!("cc-{ID}-01-what-the-future-brings")],
            SAMPLED,
        ),
        ("3.2.4 a later version may end in a dash", &[format!("cc-{ID}-01-")], SAMPLED),
        ("3.2.4 a later version goes on with a dash", &[format!("cc-{ID}-01.what")], New),
        ("3.2.4 a later version goes on with a dash", &[format!("cc-{ID}-010")], New),
        ("3.2.4 a later version is not shorter", &[format!("cc-{ID}-0")], New),
        ("3.2.2.3 trace-id of zeros", &[format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32))], New),
        (
            "3.2.2.3 trace-id in upper case",
            &[format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase())],
            New,
        ),
        (
            "3.2.2.3 trace-id with another letter",
            &[format!("00-.{}-00f067aa0ba902b7-01", &TRACE[1..])],
            New,
        ),
        (
            "3.2.2.3 trace-id with another letter",
            &[format!("00-{}.-00f067aa0ba902b7-01", &TRACE[1..])],
            New,
        ),
        (
            "3.2.2.3 trace-id with a sign",
            &[format!("00-+{}-00f067aa0ba902b7-01", &TRACE[1..])],
            New,
        ),
        ("3.2.2.3 trace-id too long", &[format!("00-0{TRACE}-00f067aa0ba902b7-01")], New),
        ("3.2.2.3 trace-id too short", &[format!("00-{}-00f067aa0ba902b7-01", &TRACE[1..])], New),
        ("3.2.2.4 parent-id of zeros", &[format!("00-{TRACE}-0000000000000000-01")], New),
        ("3.2.2.4 parent-id in upper case", &[format!("00-{TRACE}-00F067AA0BA902B7-01")], New),
        (
            "3.2.2.4 parent-id with another letter",
            &[format!("00-{TRACE}-.0f067aa0ba902b7-01")],
            New,
        ),
        ("3.2.2.4 parent-id too long", &[format!("00-{TRACE}-000f067aa0ba902b7-01")], New),
        ("3.2.2.4 parent-id too short", &[format!("00-{TRACE}-0f067aa0ba902b7-01")], New),
        ("3.2.2.5 flags of one digit", &[format!("00-{ID}-1")], New),
        ("3.2.2.5 flags of three digits", &[format!("00-{ID}-001")], New),
        ("3.2.2.5 flags that are no number", &[format!("00-{ID}-.0")], New),
        ("3.2.2.5 flags that are no number", &[format!("00-{ID}-0.")], New),
        ("3.2.2.5 flags in upper case", &[format!("00-{ID}-0A")], New),
        ("3.2.2.5 no flags", &[format!("00-{ID}-")], New),
        ("3.2.2 short fields", &["00-1-1-01".to_owned()], New),
        ("3.2.2 other separators", &[format!("00_{TRACE}_00f067aa0ba902b7_01")], New),
        ("3.2.2 empty", &[String::new()], New),
        ("3.2.1 absent", &[], New),
        ("3.2.1 blanks around", &[format!(" \t00-{ID}-01\t ")], SAMPLED),
        ("3.2.1 blanks within", &[format!("00-{TRACE} -00f067aa0ba902b7-01")], New),
        ("3.2.1 two fields", &[format!("00-{ID}-01"), format!("00-{ID}-01")], New),
        ("3.2.1 a list", &[format!("00-{ID}-01,00-{ID}-01")], New),
        ("3.2.1 a list in a later version", &[format!("cc-{ID}-01,00-{ID}-01")], New),
    ];
    for (rule, values, verdict) in cases {
        let headers: Vec<_> = values.iter().map(|value| ("traceparent", value.as_str())).collect();
        check(rule, &headers, *verdict);
    }
}

#[test]
fn the_name_of_a_field_has_no_case() {
    check("3.2.1 header name", &[("TraceParent", PARENT)], SAMPLED);
    check(
        "3.3.1 header name",
        &[("TRACEPARENT", PARENT), ("TraceState", "a=1")],
        with_state("a=1"),
    );
}

#[test]
fn tracestate_rules() {
    let key_256 = "z".repeat(256);
    let value_256 = "v".repeat(256);
    let most =
        |count: usize| (0..count).map(|n| format!("k{n:02}={n}")).collect::<Vec<_>>().join(",");
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let cases: &[(&str, &[&str], Verdict)] = &[
        ("3.3.1.1 one member", &["congo=t61rcWkgMzE"], with_state("congo=t61rcWkgMzE")),
        ("3.3.1.1 order is kept", &["rojo=1,congo=2"], with_state("rojo=1,congo=2")),
        ("3.3.1 several fields are one list", &["a=1", "b=2,c=3"], with_state("a=1,b=2,c=3")),
        ("3.3.1.1 empty members are fine", &["a=1,,b=2, ,\t", ",c=3"], with_state("a=1,b=2,c=3")),
        ("3.3.1.1 an empty field is fine", &[""], SAMPLED),
        ("3.3.1.1 empty fields are fine", &["", "a=1", ""], with_state("a=1")),
        ("3.3.1.1 blanks around members", &[" a=1 \t, \tb=2 "], with_state("a=1,b=2")),
        ("3.3.1.3 blanks before the =", &["a =1"], SAMPLED),
        ("3.3.1.3.2 a value may start with blanks", &["a= 1"], with_state("a= 1")),
        ("3.3.1.3.2 a value is not empty", &["a="], SAMPLED),
        ("3.3.1.3.2 a value is not a blank", &["a= "], SAMPLED),
        ("3.3.1.3.2 a second = is no value", &["a=1=2"], SAMPLED),
        (
            "3.3.1.3.2 all characters",
            &["a=!\"#$%&'()*+-./09:;<>?@AZ[\\]^_`az{|}~"],
            with_state("a=!\"#$%&'()*+-./09:;<>?@AZ[\\]^_`az{|}~"),
        ),
        ("3.3.1.3.2 no tab in a value", &["a=1\t2"], SAMPLED),
        ("3.3.1.3.2 no DEL in a value", &["a=1\x7f"], SAMPLED),
        ("3.3.1.3.2 ASCII only", &["a=é"], SAMPLED),
        (
            "3.3.1.3.2 256 characters",
            &[leak(format!("a={value_256}"))],
            with_state(leak(format!("a={value_256}"))),
        ),
        ("3.3.1.3.2 257 characters", &[leak(format!("a={value_256}v"))], SAMPLED),
        ("3.3.1.3.1 a key starts with a letter", &["a0_-*/@b=1"], with_state("a0_-*/@b=1")),
        ("3.3.1.3.1 a key may start with a digit", &["0a=1"], with_state("0a=1")),
        ("3.3.1.3.1 no other start", &["_a=1"], SAMPLED),
        ("3.3.1.3.1 @ is no start", &["@a=1"], SAMPLED),
        ("3.3.1.3.1 a tenant and a system", &["fw529a3039@dt=1"], with_state("fw529a3039@dt=1")),
        ("3.3.1.3.1 any number of @", &["a@b@c@=1"], with_state("a@b@c@=1")),
        ("3.3.1.3.1 no upper case", &["Foo=1"], SAMPLED),
        ("3.3.1.3.1 no dot", &["a.b=1"], SAMPLED),
        ("3.3.1.3.1 no empty key", &["=1"], SAMPLED),
        (
            "3.3.1.3.1 256 characters",
            &[leak(format!("{key_256}=1"))],
            with_state(leak(format!("{key_256}=1"))),
        ),
        ("3.3.1.3.1 257 characters", &[leak(format!("{key_256}z=1"))], SAMPLED),
        ("3.3.1.3 no pair", &["a"], SAMPLED),
        ("3.3.1.3 one bad member spoils the list", &["a=1", "b"], SAMPLED),
        ("3.3.1.1 32 members", &[leak(most(32))], with_state(leak(most(32)))),
        ("3.3.1.1 33 members", &[leak(most(33))], SAMPLED),
        ("3.3.1.1 a key twice is passed on", &["a=1,a=2"], with_state("a=1,a=2")),
    ];
    for (rule, values, verdict) in cases {
        let headers: Vec<_> = std::iter::once(("traceparent", PARENT))
            .chain(values.iter().map(|value| ("tracestate", *value)))
            .collect();
        check(rule, &headers, *verdict);
    }
}

#[test]
fn without_a_valid_traceparent_there_is_no_tracestate() {
    check("3.3.1", &[("tracestate", "a=1")], New);
    check("3.3.1", &[("traceparent", "00-1-1-01"), ("tracestate", "a=1")], New);
    check("3.3.1", &[("traceparent", ""), ("tracestate", "a=1")], New);
}

#[test]
fn the_latest_change_of_a_tracestate_is_at_the_left() {
    let state = super::super::TraceState::parse([&b"a=1,b=2,c=3"[..]]).unwrap();
    assert_eq!(state.with("b", "9").unwrap().as_str(), "b=9,a=1,c=3", "3.5 modifying");
    assert_eq!(state.with("d", "4").unwrap().as_str(), "d=4,a=1,b=2,c=3", "3.5 adding");
    assert_eq!(state.with("D", "4"), None);
    assert_eq!(state.with("d", "4,e=5"), None, "a value cannot become two members");
    let full = (0..32).map(|n| format!("k{n}=1")).collect::<Vec<_>>().join(",");
    let full = super::super::TraceState::parse([full.as_bytes()]).unwrap();
    let changed = full.with("new", "1").unwrap();
    assert_eq!(changed.iter().count(), 32, "3.5: the right-most makes room");
    assert_eq!(changed.get("k31"), None);
}

#[test]
fn a_tracestate_over_512_bytes_loses_long_members_first_and_then_from_the_right() {
    let long = format!("long={}", "x".repeat(130));
    let short = |n: usize| format!("k{n}={}", "y".repeat(96));
    let list = [short(0), long.clone(), short(1), short(2), short(3), short(4), short(5)].join(",");
    let state = super::super::TraceState::parse([list.as_bytes()]).unwrap();
    let kept: Vec<_> = state.iter().map(|(key, _)| key).collect();
    assert_eq!(kept, ["k0", "k1", "k2", "k3", "k4"], "3.3.1.5");
    assert!(state.as_str().len() <= 512);
}

#[test]
fn at_least_512_bytes_are_carried() {
    let exactly = format!("a={},b={}", "x".repeat(250), "y".repeat(257 - 2));
    assert_eq!(exactly.len(), 510);
    let exactly = format!("{exactly},c");
    assert!(super::super::TraceState::parse([exactly.as_bytes()]).is_none());
    let exactly = format!("aa={},bb={}", "x".repeat(250), "y".repeat(255));
    assert_eq!(exactly.len(), 512);
    let state = super::super::TraceState::parse([exactly.as_bytes()]).unwrap();
    assert_eq!(state.as_str(), exactly);
}
