//! The rules for names.

use obs_core::config::ConfigError;

use crate::limits::{DIMENSION_NAME_LENGTH, METRIC_NAME_LENGTH, NAMESPACE_LENGTH};

/// The fields of the lines this crate writes by itself, which carry no fields of the user's.
pub(crate) const OWN_FIELDS: [&str; 10] = [
    "_aws",
    "timestamp",
    "level",
    "message",
    "target",
    "service",
    "part",
    "truncated",
    "slowest_trace_id",
    "error_trace_id",
];

/// The rule that `name` breaks as the name of a metric on a line of any kind.
///
/// Fields of lines are in `snake_case`, so a name that is not cannot come twice.
pub(crate) fn metric_rule(name: &str) -> Option<&'static str> {
    own_metric_rule(name).or_else(|| field_rule(name))
}

/// The rule that `name` breaks as the name of a dimension on a line of any kind.
pub(crate) fn dimension_rule(name: &str) -> Option<&'static str> {
    own_dimension_rule(name).or_else(|| field_rule(name))
}

/// As [`metric_rule`], for lines without fields of the user's.
pub(crate) fn own_metric_rule(name: &str) -> Option<&'static str> {
    member_rule(name, METRIC_NAME_LENGTH, "must have 1 to 255 characters")
}

/// As [`dimension_rule`], for lines without fields of the user's.
pub(crate) fn own_dimension_rule(name: &str) -> Option<&'static str> {
    member_rule(name, DIMENSION_NAME_LENGTH, "must have 1 to 250 characters")
}

fn field_rule(name: &str) -> Option<&'static str> {
    let is_snake = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.bytes().all(is_snake).then_some("must not be in snake_case, as the fields of lines are")
}

fn member_rule(name: &str, most: usize, length: &'static str) -> Option<&'static str> {
    if name.is_empty() || name.len() > most {
        return Some(length);
    }
    if let Some(rule) = text_rule(name) {
        return Some(rule);
    }
    OWN_FIELDS.contains(&name).then_some("must not be the name of a field of the line")
}

fn text_rule(name: &str) -> Option<&'static str> {
    if !name.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Some("must be printable ASCII");
    }
    if name.bytes().all(|byte| byte == b' ') {
        return Some("must not be blank");
    }
    name.starts_with(':').then_some("must not begin with a colon")
}

/// The rule that `namespace` breaks.
///
/// The character set is the one that every AWS library accepts.
pub(crate) fn namespace_rule(namespace: &str) -> Option<&'static str> {
    if namespace.is_empty() || namespace.len() > NAMESPACE_LENGTH {
        return Some("must have 1 to 255 characters");
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b" ._#:/-".contains(&byte);
    if !namespace.bytes().all(allowed) {
        return Some("must consist of letters, digits, spaces and ._#:/-");
    }
    if namespace.starts_with("AWS/") {
        return Some("must not begin with AWS/, which belongs to AWS");
    }
    text_rule(namespace)
}

/// Checks a value against a rule.
pub(crate) fn require(
    field: &'static str,
    value: &str,
    rule: fn(&str) -> Option<&'static str>,
) -> Result<(), ConfigError> {
    match rule(value) {
        Some(rule) => Err(ConfigError::new(field, value, rule)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emf_e6_namespaces_keep_to_what_every_library_accepts() {
        for good in ["orders", "Shop/Orders", "a b", "x#1", &"n".repeat(255)] {
            assert_eq!(namespace_rule(good), None, "{good}");
        }
        for bad in ["", " ", ":x", "AWS/Lambda", "shöp", "a\nb", "a*b", &"n".repeat(256)] {
            assert!(namespace_rule(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn emf_e8_and_e12_names_are_short_printable_and_free() {
        assert_eq!(metric_rule("Latency"), None);
        assert_eq!(metric_rule(&"M".repeat(255)), None);
        assert_eq!(dimension_rule(&"D".repeat(250)), None);
        assert!(dimension_rule(&"D".repeat(251)).is_some());
        for bad in
            ["", " ", ":x", "é", "a\tb", "_aws", "timestamp", "duration_ms", &"M".repeat(256)]
        {
            assert!(metric_rule(bad).is_some(), "{bad}");
            assert!(dimension_rule(bad).is_some(), "{bad}");
        }
    }
}
