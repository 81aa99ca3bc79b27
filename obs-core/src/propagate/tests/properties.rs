//! The invariants, over bytes of all kinds.

use proptest::prelude::*;

use super::super::invariants;

/// Bytes that come near the grammars: pieces of valid fields, separators and anything else.
fn near_misses() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".to_owned()),
        Just("00-58406520a006649127e371903a2de979-00f067aa0ba902b7-03".to_owned()),
        Just("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x".to_owned()),
        Just("Root=1-58406520-a006649127e371903a2de979".to_owned()),
        Just("Parent=53995c3f42cd8ad8".to_owned()),
        Just("Sampled=1".to_owned()),
        Just("Self=1-58406520-a006649127e371903a2de979".to_owned()),
        Just("Lineage=a87bd80c:1|68fd508a:5".to_owned()),
        "[a-z0-9@*/_-]{1,8}=[ -~]{0,8}",
        "[a-z]{1,4}=(%[0-9a-fA-F]{2}|[a-z]){0,4}(;[a-z]{1,3}(=[!-~]{0,3})?){0,2}",
        "[a-zA-Z0-9._:+/=@|~-]{1,20}",
        "[0-9]{1,11}[HMSmun]?",
        "[,;= \\t\\n-]{1,3}",
        "[\\x00-\\x7f]{0,4}",
        "\\PC{0,4}",
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat().into_bytes())
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![3 => near_misses(), 1 => prop::collection::vec(any::<u8>(), 0..300)]
}

/// Lines as [`invariants::headers`] reads them, most of them with a value that suits their field.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    let suiting = [
        "00-(4bf92f3577b34da6a3ce929d0e0e4736|58406520a006649127e371903a2de979)-00f067aa0ba902b7-0[0-9]",
        "[a-c]{1,3}=[ -~&&[^,=]]{0,5}(,[a-c@]{1,3}=[a-z]{1,3}){0,3}",
        "Root=1-58406520-a006649127e371903a2de979(;Parent=53995c3f42cd8ad8)?(;Sampled=[01?])?(;[a-c]=[a-z])?",
        "[a-c]{1,3}=([a-z]|%[2-7][0-9]){0,4}(;p=[a-z])?(,[a-c]=[a-z]){0,2}",
        "[a-zA-Z0-9._:+/=@-]{1,8}",
        "[a-zA-Z0-9._:+/=@-]{1,8}",
        "[a-zA-Z0-9._:+/=@|~-]{1,8}",
        "[a-zA-Z0-9._:+/=@|~-]{1,8}",
        "[0-9]{1,10}",
        "[0-9]{1,8}[HMSmun]",
        "[0-9]{1,3}",
        "[!-~]{1,20}",
    ];
    let suiting: Vec<_> = suiting
        .into_iter()
        .enumerate()
        .map(|(field, value)| value.prop_map(move |text| (field as u8, text.into_bytes())).boxed())
        .collect();
    let suiting = prop::sample::select(suiting).prop_flat_map(|line| line);
    let any_line = (0_u8..12, bytes());
    let line = prop_oneof![6 => suiting, 1 => any_line];
    prop::collection::vec(line, 0..8).prop_map(|lines| {
        let lines = lines.into_iter().map(|(field, value)| [&[field + 24], &value[..]].concat());
        lines.collect::<Vec<_>>().join(&b'\n')
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn traceparent(bytes in bytes()) { invariants::traceparent(&bytes); }

    #[test]
    fn tracestate(bytes in bytes()) { invariants::tracestate(&bytes); }

    #[test]
    fn x_amzn_trace_id(bytes in bytes()) { invariants::x_amzn_trace_id(&bytes); }

    #[test]
    fn baggage(bytes in bytes()) { invariants::baggage(&bytes); }

    #[test]
    fn correlation_id(bytes in bytes()) { invariants::correlation_id(&bytes); }

    #[test]
    fn headers(bytes in lines()) { invariants::headers(&bytes); }
}
