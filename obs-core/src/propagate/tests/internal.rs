//! The headers between our own services.

use std::time::Duration;

use super::*;

#[test]
fn timeouts_are_read_in_milliseconds_or_in_grpc_s_units() {
    let timeout = |name: &str, value: &str| extract(&[(name, value)]).timeout;
    assert_eq!(timeout("x-request-timeout", "1500"), Some(Duration::from_millis(1_500)));
    assert_eq!(timeout("x-request-timeout", "0"), Some(Duration::ZERO));
    for bad in ["", "-1", "+1", "1.5", "1s", "99999999999", "１"] {
        assert_eq!(timeout("x-request-timeout", bad), None, "{bad}");
    }
    for (text, expected) in [
        ("2H", Duration::from_secs(7_200)),
        ("3M", Duration::from_secs(180)),
        ("5S", Duration::from_secs(5)),
        ("100m", Duration::from_millis(100)),
        ("7u", Duration::from_micros(7)),
        ("99999999n", Duration::from_nanos(99_999_999)),
    ] {
        assert_eq!(timeout("grpc-timeout", text), Some(expected), "{text}");
    }
    for bad in ["", "S", "5", "5s", "123456789S", "-5S", "5 S"] {
        assert_eq!(timeout("grpc-timeout", bad), None, "{bad}");
    }
    let both = extract(&[("grpc-timeout", "9S"), ("x-request-timeout", "1")]);
    assert_eq!(both.timeout, Some(Duration::from_millis(1)));
}

#[test]
fn a_timeout_survives_the_journey_rounded_down() {
    for (timeout, sent) in
        [(Duration::from_micros(1_999), "1"), (Duration::ZERO, "0"), (Duration::MAX, "9999999999")]
    {
        let extracted = Extracted { timeout: Some(timeout), ..Extracted::default() };
        let headers = sent_on(&extracted, &TrustPolicy::internal());
        assert_eq!(value(&headers, "x-request-timeout"), Some(sent));
    }
}

#[test]
fn attempts_count_from_one_to_999() {
    let attempt = |value: &str| extract(&[("x-request-attempt", value)]).attempt;
    assert_eq!((attempt("1"), attempt("999")), (Some(1), Some(999)));
    for bad in ["0", "1000", "-1", "", "one", "1,2"] {
        assert_eq!(attempt(bad), None, "{bad}");
    }
}

#[test]
fn tenant_and_user_keep_to_their_grammar_or_are_absent() {
    let tenant = |value: &str| extract(&[("x-tenant-id", value)]).tenant_id;
    assert_eq!(tenant(" acme ").as_deref(), Some("acme"));
    assert_eq!(tenant("auth0|5f7c8ec7c33c6c004bbafe82").as_deref().map(str::len), Some(30));
    for bad in ["", "a b", "a\"b", "a,b", "é", "<b>", &"a".repeat(129)] {
        assert_eq!(tenant(bad), None, "{bad}");
    }
    let twice = extract(&[("x-user-id", "ann"), ("x-user-id", "root")]);
    assert_eq!(twice.user_id, None);
}

#[test]
fn a_debug_token_is_bounded_visible_ascii() {
    let debug = |value: &str| extract(&[("x-obs-debug", value)]).debug;
    assert_eq!(debug("debug.1767225600.*.abc").as_deref(), Some("debug.1767225600.*.abc"));
    for bad in ["", "a b", "a\tb", "é", &"a".repeat(513)] {
        assert_eq!(debug(bad), None, "{bad}");
    }
}
