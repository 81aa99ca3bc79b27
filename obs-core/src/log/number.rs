//! Numbers as JSON writes them, for lines and the metrics behind them.
//!
//! ```
//! use obs_core::log::number::{write_number, write_u64};
//!
//! let mut out = Vec::new();
//! write_u64(&mut out, 7);
//! out.push(b' ');
//! write_number(&mut out, 12.5);
//! assert_eq!(out, b"7 12.5");
//! ```

/// Up to here a number of thousandths has at most fifteen digits, so that no other number of as
/// few digits is the same `f64`.
const MOST_THOUSANDTHS: i64 = 1_000_000_000_000_000;

/// Appends an unsigned integer.
///
/// ```
/// use obs_core::log::number::write_u64;
///
/// let mut out = Vec::new();
/// write_u64(&mut out, 42);
/// assert_eq!(out, b"42");
/// ```
#[inline]
pub fn write_u64(out: &mut Vec<u8>, value: u64) {
    let digit = |place: u64| b'0' + (value / place % 10) as u8;
    match value {
        0..10 => out.push(digit(1)),
        10..100 => out.extend_from_slice(&[digit(10), digit(1)]),
        100..1_000 => out.extend_from_slice(&[digit(100), digit(10), digit(1)]),
        _ => out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes()),
    }
}

/// Appends a number of thousandths; without a fraction it keeps its `.0`.
#[inline]
pub(super) fn write_thousandths(out: &mut Vec<u8>, thousandths: u64) {
    write_decimal(out, thousandths, b".0");
}

/// Appends a number of thousandths; `whole` stands behind one without a fraction.
#[inline]
fn write_decimal(out: &mut Vec<u8>, thousandths: u64, whole: &[u8]) {
    write_u64(out, thousandths / 1_000);
    let fraction = (thousandths % 1_000) as u16;
    let digit = |place: u16| b'0' + (fraction / place % 10) as u8;
    let (first, second, third) = (digit(100), digit(10), digit(1));
    match (fraction, second, third) {
        (0, ..) => out.extend_from_slice(whole),
        (_, b'0', b'0') => out.extend_from_slice(&[b'.', first]),
        (_, _, b'0') => out.extend_from_slice(&[b'.', first, second]),
        _ => out.extend_from_slice(&[b'.', first, second, third]),
    }
}

/// Appends a number that has at most three digits behind the point, as milliseconds from
/// microseconds and most prices have; `false` for any other, of which nothing is written.
///
/// `whole` stands behind a number without a fraction: `.0`, or nothing.
#[inline]
fn write_short(out: &mut Vec<u8>, value: f64, whole: &[u8]) -> bool {
    let thousandths = (value * 1_000.0) as i64;
    // The division rounds to the `f64` nearest to the decimal, which is what reading it yields.
    // Zero is left out because it has a sign that an integer has not.
    let is_exact = thousandths as f64 / 1_000.0 == value
        && thousandths != 0
        && thousandths.abs() < MOST_THOUSANDTHS;
    if !is_exact {
        return false;
    }
    if thousandths < 0 {
        out.push(b'-');
    }
    write_decimal(out, thousandths.unsigned_abs(), whole);
    true
}

/// Appends a finite number in the shortest form that reads back as the same number; one without a
/// fraction keeps its `.0`.
#[inline]
pub(super) fn write_f64(out: &mut Vec<u8>, value: f64) {
    if !write_short(out, value, b".0") {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    }
}

/// Appends a finite number in the shortest form that reads back as the same number, integers up to
/// 2^53 without a fraction.
///
/// ```
/// use obs_core::log::number::write_number;
///
/// let mut out = Vec::new();
/// write_number(&mut out, 3.0);
/// assert_eq!(out, b"3");
/// ```
#[inline]
pub fn write_number(out: &mut Vec<u8>, value: f64) {
    /// The integers up to here are exact in an `f64`.
    const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;
    debug_assert!(value.is_finite());
    let whole = value as i64;
    if whole as f64 == value && value.abs() < EXACT_INTEGERS {
        if whole < 0 {
            out.push(b'-');
        }
        write_u64(out, whole.unsigned_abs());
    } else if !write_short(out, value, b"") {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn integers_of_every_length_are_written() {
        for value in [0, 9, 10, 99, 100, 999, 1_000, 65_535, u64::MAX] {
            assert_eq!(text(|out| write_u64(out, value)), value.to_string());
        }
    }

    #[test]
    fn integers_have_a_fraction_in_lines_and_none_in_metrics() {
        for (value, line, metric) in [
            (25.0, "25.0", "25"),
            (-17.0, "-17.0", "-17"),
            (0.0, "0.0", "0"),
            (-0.0, "-0.0", "0"),
            (12.75, "12.75", "12.75"),
            (-0.001, "-0.001", "-0.001"),
            (9_007_199_254_740_991.0, "9007199254740991.0", "9007199254740991"),
        ] {
            assert_eq!(text(|out| write_f64(out, value)), line);
            assert_eq!(text(|out| write_number(out, value)), metric);
        }
    }

    proptest! {
        #[test]
        fn thousandths_are_written_as_the_shortest_form_is(thousandths in any::<i64>()) {
            for value in [thousandths, thousandths % 10_000, thousandths % 100_000_000_000] {
                let value = value as f64 / 1_000.0;
                let shortest = zmij::Buffer::new().format_finite(value).to_owned();
                prop_assert_eq!(text(|out| write_f64(out, value)), shortest);
            }
        }

        #[test]
        fn a_number_of_thousandths_is_written_as_the_number(thousandths in 0..MOST_THOUSANDTHS) {
            for thousandths in [thousandths, thousandths % 10_000, thousandths / 1_000 * 1_000] {
                let number = text(|out| write_f64(out, thousandths as f64 / 1_000.0));
                prop_assert_eq!(text(|out| write_thousandths(out, thousandths as u64)), number);
            }
        }

        #[test]
        fn every_finite_number_reads_back_as_itself(value in any::<f64>()) {
            prop_assume!(value.is_finite());
            for text in [text(|out| write_f64(out, value)), text(|out| write_number(out, value))] {
                prop_assert_eq!(text.parse::<f64>().unwrap(), value);
                prop_assert!(serde_json::from_str::<f64>(&text).is_ok());
            }
        }
    }
}
