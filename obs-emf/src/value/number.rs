//! Numbers that JSON and CloudWatch both take.

use obs_core::log::number::write_number;
pub(crate) use obs_core::log::number::write_u64;

use crate::ledger::{DropReason, Ledger, Repair};
use crate::limits::{LARGEST_VALUE, SMALLEST_VALUE};

/// Writes a finite number, whole ones without a fraction.
#[inline]
pub(crate) fn write_f64(out: &mut Vec<u8>, value: f64) {
    // Counts, which most metrics are, are small.
    let small = value as u8;
    if small < 10 && f64::from(small) == value {
        out.push(b'0' + small);
    } else {
        write_number(out, value);
    }
}

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

/// The value to gather or send; books those that cannot be.
#[inline]
pub(crate) fn number(value: f64, ledger: &mut Ledger) -> Option<f64> {
    match check(value) {
        Checked::Good(value) => Some(value),
        Checked::Underflow => {
            ledger.repair(Repair::Underflow);
            Some(0.0)
        }
        Checked::Bad(reason) => {
            ledger.append(1);
            ledger.drop_points(reason, 1);
            None
        }
    }
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
