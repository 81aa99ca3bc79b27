//! What the parsers share: trimming, splitting, and the alphabets of the specifications.

use smallvec::SmallVec;

/// A field value while it is written; on the stack unless it is unusually long.
pub(super) type Scratch = SmallVec<[u8; 128]>;

/// Without the spaces and tabs at both ends (`OWS` in
/// [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.3)).
pub(super) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// The parts before and after the first `separator`.
pub(super) fn split_once(value: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = value.iter().position(|&byte| byte == separator)?;
    Some((&value[..at], &value[at + 1..]))
}

/// `token` of [RFC 9110](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2).
pub(super) fn is_token(value: &[u8]) -> bool {
    !value.is_empty()
        && value
            .iter()
            .all(|&byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// As text; empty if the bytes are not UTF-8, which the alphabets above exclude.
pub(super) fn text(value: &[u8]) -> &str {
    std::str::from_utf8(value).unwrap_or_default()
}

/// A decimal number of at most `digits` digits, without sign or blank.
pub(super) fn decimal(value: &[u8], digits: usize) -> Option<u64> {
    if value.is_empty() || value.len() > digits || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    text(value).parse().ok()
}
