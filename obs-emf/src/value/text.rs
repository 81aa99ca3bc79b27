//! Strings: JSON escapes, and the values of dimensions.

use obs_core::log::text::{is_clean, write_inside};

use crate::ledger::{Ledger, Repair};
use crate::limits::DIMENSION_VALUE_LENGTH;

/// What a dimension gets that has no value.
pub(crate) const EMPTY: &str = "__empty__";

/// Writes `text` as a JSON string with its quotes.
#[inline]
pub(crate) fn write_json(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    write_inside(out, text);
    out.push(b'"');
}

/// Writes the value of a dimension as a JSON string, and repairs it where CloudWatch would refuse
/// it or drop the dimension set.
#[inline]
pub(crate) fn write_dimension(out: &mut Vec<u8>, value: &str, ledger: &mut Ledger) {
    out.push(b'"');
    write_dimension_inside(out, value, ledger);
    out.push(b'"');
}

/// As [`write_dimension`], without the quotes.
#[inline]
pub(crate) fn write_dimension_inside(out: &mut Vec<u8>, value: &str, ledger: &mut Ledger) {
    // A first character that is visible settles that it is not blank.
    let visible = value.as_bytes().first().is_some_and(|&byte| byte > b' ');
    if visible && value.len() <= DIMENSION_VALUE_LENGTH && is_clean(value) {
        out.extend_from_slice(value.as_bytes());
    } else {
        write_inside(out, &clean_dimension(value, ledger));
    }
}

/// The value as CloudWatch takes it: 1 to 1024 printable ASCII characters, not all blank.
#[cold]
pub(crate) fn clean_dimension(value: &str, ledger: &mut Ledger) -> String {
    let mut cleaned: String = value
        .chars()
        .take(DIMENSION_VALUE_LENGTH)
        .map(|char| if matches!(char, ' '..='~') { char } else { '?' })
        .collect();
    if value.chars().nth(DIMENSION_VALUE_LENGTH).is_some() {
        ledger.repair(Repair::DimensionLength);
    }
    if value.chars().any(|char| !matches!(char, ' '..='~')) {
        ledger.repair(Repair::DimensionCharacters);
    }
    if cleaned.bytes().all(|byte| byte == b' ') {
        ledger.repair(Repair::EmptyDimension);
        EMPTY.clone_into(&mut cleaned);
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dimension(value: &str) -> (String, Ledger) {
        let (mut out, mut ledger) = (Vec::new(), Ledger::default());
        write_dimension(&mut out, value, &mut ledger);
        (serde_json::from_slice(&out).unwrap(), ledger)
    }

    #[test]
    fn emf_e9_an_empty_or_blank_dimension_becomes_a_placeholder() {
        for value in ["", " ", "    "] {
            let (written, ledger) = dimension(value);
            assert_eq!(written, EMPTY);
            assert_eq!(ledger.repaired(Repair::EmptyDimension), 1);
        }
    }

    #[test]
    fn emf_e9_a_dimension_is_printable_ascii_of_at_most_1024_characters() {
        assert_eq!(dimension("Zürich\n").0, "Z?rich?");
        let (written, ledger) = dimension(&"x".repeat(1025));
        assert_eq!(written.len(), 1024);
        assert_eq!(ledger.repaired(Repair::DimensionLength), 1);
        assert_eq!(dimension("say \"hi\" \\o/").0, "say \"hi\" \\o/");
    }

    proptest! {
        #[test]
        fn any_text_reads_back_as_itself(text in any::<String>()) {
            let mut out = Vec::new();
            write_json(&mut out, &text);
            prop_assert!(!out.contains(&b'\n'));
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }

        #[test]
        fn any_dimension_becomes_one_that_cloudwatch_takes(text in any::<String>()) {
            let (written, _) = dimension(&text);
            prop_assert!((1..=1024).contains(&written.len()));
            prop_assert!(written.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            prop_assert!(!written.trim().is_empty());
        }
    }
}
