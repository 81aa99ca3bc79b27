use http::{HeaderMap, HeaderValue};
use proptest::prelude::*;
use tracing::Level;

use super::*;
use crate::clock::Timestamp;
use crate::log::{Fields, Line, LineFormat};

const JWT: &str = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";

fn line(write: impl FnOnce(&mut Line<'_>)) -> serde_json::Value {
    let format = LineFormat::new("s").redactor(Redactor::new());
    let mut buffer = Vec::new();
    let message = format_args!("sent to {} with {JWT}", "ann@example.com");
    let mut line =
        Line::begin(&mut buffer, &format, Timestamp::default(), Level::INFO, message, "app");
    write(&mut line);
    line.finish();
    serde_json::from_slice(&buffer).unwrap()
}

#[test]
fn keys_of_the_list_are_hidden_whatever_their_value() {
    let mut span = Fields::default();
    span.set("db_password", "hunter2");
    span.set("note", "call bob@example.org");
    let line = line(|line| {
        line.str("password", "hunter2").u64("cvv", 123).str("Set-Cookie", "a=b");
        line.str("passwords", "3").bool("has_token", true).str("tokens", "3");
        line.fields(&span);
    });
    for key in ["password", "cvv", "set_cookie", "has_token", "db_password"] {
        assert_eq!(line[key], "[redacted]", "{key}");
    }
    assert_eq!((&line["passwords"], &line["tokens"]), (&"3".into(), &"3".into()));
    assert_eq!(line["note"], "call [mail]");
    assert_eq!(line["message"], "sent to [mail] with [token]");
}

#[test]
fn a_key_of_any_length_hides_itself_and_what_ends_with_it() {
    for key in ["x", "id", "pin", "a_very_long_key_of_somebody"] {
        let redactor = Redactor::none().key(key);
        assert!(redactor.hides(key) && redactor.hides(&format!("some_{key}")), "{key}");
        assert!(!redactor.hides(&format!("some{key}")) && !redactor.hides("other"), "{key}");
    }
    assert!(!Redactor::none().key("").hides("anything_"));
}

#[test]
fn secrets_are_found_in_text_and_look_alikes_are_left() {
    let redactor = Redactor::new();
    let aws = "AKIAIOSFODNN7EXAMPLE";
    for (text, expected) in [
        ("pay 4111111111111111 now", "pay [card] now".to_owned()),
        ("pay 4111-1111-1111-1111.", "pay [card].".to_owned()),
        ("amex 3782 822463 10005", "amex [card]".to_owned()),
        (
            "ord-01a1fdf4-9702-7374-8756-a9964b41b9ab",
            "ord-01a1fdf4-9702-7374-8756-a9964b41b9ab".to_owned(),
        ),
        ("f4-9702-7374-8756-a9964b41b9ab", "f[card]-a9964b41b9ab".to_owned()),
        ("order 4111111111111112", "order 4111111111111112".to_owned()),
        ("at 1767225600000 ms", "at 1767225600000 ms".to_owned()),
        ("id 00000000000000000000000000000000", "id 00000000000000000000000000000000".to_owned()),
        ("<ann.b+c@mail.example.com>", "<[mail]>".to_owned()),
        ("write to a@b.co.", "write to [mail].".to_owned()),
        ("user@localhost, @home, a@b", "user@localhost, @home, a@b".to_owned()),
        ("Authorization: Bearer abcdefghijklmnopqrst", "Authorization: Bearer [token]".to_owned()),
        ("a bearer of news", "a bearer of news".to_owned()),
        (aws, "[token]".to_owned()),
        ("key=AKIAIOSFODNN7EXAMPLE;", "key=[token];".to_owned()),
        ("monkeyJungle is no token at all", "monkeyJungle is no token at all".to_owned()),
    ] {
        assert_eq!(redactor.redact(text), expected);
    }
}

#[test]
fn an_escape_before_a_secret_does_not_hide_it() {
    let line = line(|line| {
        line.str("a", &format!("\n{JWT}\n4111111111111111\nann@example.com\u{1}{JWT}"));
        line.str("b", "\u{1}4111111111111111");
    });
    assert_eq!(line["a"], "\n[token]\n[card]\n[mail]\u{1}[token]");
    assert_eq!(line["b"], "\u{1}[card]");
}

#[test]
fn only_allowed_headers_are_written_and_sensitive_ones_hidden() {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_static("Bearer x"));
    headers.insert("user-agent", HeaderValue::from_static("curl"));
    headers.append("accept", HeaderValue::from_static("a"));
    headers.append("accept", HeaderValue::from_bytes(b"\xff").unwrap());
    let mut secret = HeaderValue::from_static("s3cr3t");
    secret.set_sensitive(true);
    headers.insert("x-session", secret);
    let allowed = HeaderFields::allow(["User-Agent", "accept", "x-session", "missing"]).unwrap();
    let line = line(|line| allowed.write(line, &headers));
    assert_eq!(line["header_user_agent"], "curl");
    assert_eq!(line["header_accept"], "a, \u{fffd}");
    assert_eq!(line["header_x_session"], "[redacted]");
    assert_eq!((line.get("header_authorization"), line.get("header_missing")), (None, None));
}

#[test]
fn a_browsers_user_agent_needs_no_second_look() {
    let agent = b"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/145.0";
    assert!(!pattern::Patterns::all().may_match(agent));
}

#[test]
fn an_address_behind_an_escape_is_hidden_and_the_escape_stays() {
    let line = line(|line| {
        line.str("control", "\u{0}ann@example.com").str("newline", "\nann@example.com");
        line.str("backslash", "\\ann@example.com").str("both", "\\\u{1}u0001@example.com");
    });
    assert_eq!(line["control"], "\u{0}[mail]");
    assert_eq!(line["newline"], "\n[mail]");
    assert_eq!(line["backslash"], "\\[mail]");
    assert_eq!(line["both"], "\\\u{1}[mail]");
}

proptest! {
    #[test]
    fn the_quick_look_never_misses_a_secret(
        before in "[a-z(]{0,140}|[ -~]{0,70}| {0,70}|.{0,70}",
        text in "[0-9 ]{0,24}|([0-9]{4}[ -]?){3,5}|.{0,40}|[a-z0-9 .@_-]{0,60}|[ (]?(ghp_|bearer |BASIC )[a-z0-9]{0,40}",
    ) {
        let text = before + &text;
        let mut scrubbed = text.clone().into_bytes();
        pattern::Patterns::all().scrub(&mut scrubbed, 0);
        let is_clean = scrubbed == text.as_bytes();
        prop_assert!(is_clean || pattern::Patterns::all().may_match(text.as_bytes()));
    }

    #[test]
    fn redacting_never_lengthens_and_leaves_valid_json(
        text in r#"([ -~\n\x00\x1f"@é]|4111111111111111|a@b\.co|eyJabcdefghijklmnop){0,30}"#
    ) {
        let redactor = Redactor::new();
        let redacted = redactor.redact(&text);
        prop_assert!(redacted.len() <= text.len());
        let line = line(|line| {
            line.str("text", &text);
        });
        prop_assert!(line["text"].is_string());
    }
}
