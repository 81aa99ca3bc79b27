//! Numbers that JSON and CloudWatch both take.

use crate::ledger::DropReason;
use crate::limits::{LARGEST_VALUE, SMALLEST_VALUE};

/// What a value is to CloudWatch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Checked {
    Good(f64),
    /// Too small to be told from 0.
    Underflow,
    Bad(DropReason),
}

#[inline]
pub(crate) fn check(value: f64) -> Checked {
    let magnitude = value.abs();
    if (SMALLEST_VALUE..=LARGEST_VALUE).contains(&magnitude) || magnitude == 0.0 {
        Checked::Good(value)
    } else if !value.is_finite() {
        Checked::Bad(DropReason::NotFinite)
    } else if magnitude > LARGEST_VALUE {
        Checked::Bad(DropReason::OutOfRange)
    } else {
        Checked::Underflow
    }
}

/// The integers up to here are exact in an `f64`.
const EXACT_INTEGERS: f64 = 9_007_199_254_740_992.0;

/// Writes a finite number: integers without a fraction, the rest in the shortest form that reads
/// back as the same number.
#[inline]
pub(crate) fn write_f64(out: &mut Vec<u8>, value: f64) {
    debug_assert!(value.is_finite());
    let whole = value as i64;
    if whole as f64 == value && value.abs() < EXACT_INTEGERS {
        out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    } else {
        out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    }
}

#[inline]
pub(crate) fn write_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: f64) -> String {
        let mut out = Vec::new();
        write_f64(&mut out, value);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn integers_are_written_without_a_fraction() {
        assert_eq!(text(0.0), "0");
        assert_eq!(text(-0.0), "0");
        assert_eq!(text(-17.0), "-17");
        assert_eq!(text(9_007_199_254_740_991.0), "9007199254740991");
    }

    #[test]
    fn emf_e15_numbers_read_back_as_themselves() {
        for value in [0.1, 12.7, -1.5e-9, LARGEST_VALUE, SMALLEST_VALUE, 1e16, 9.1e15] {
            assert_eq!(text(value).parse::<f64>().unwrap(), value, "{}", text(value));
        }
    }

    #[test]
    fn emf_e15_values_that_cloudwatch_refuses_are_told_apart() {
        assert_eq!(check(f64::NAN), Checked::Bad(DropReason::NotFinite));
        assert_eq!(check(f64::NEG_INFINITY), Checked::Bad(DropReason::NotFinite));
        assert_eq!(check(f64::MAX), Checked::Bad(DropReason::OutOfRange));
        assert_eq!(check(-LARGEST_VALUE * 2.0), Checked::Bad(DropReason::OutOfRange));
        assert_eq!(check(LARGEST_VALUE), Checked::Good(LARGEST_VALUE));
        assert_eq!(check(-SMALLEST_VALUE / 2.0), Checked::Underflow);
        assert_eq!(check(f64::from_bits(1)), Checked::Underflow);
        assert_eq!(check(0.0), Checked::Good(0.0));
    }
}
