//! Fixed-width hexadecimal, strict: no sign, no prefix, no other length.

/// The value of each byte as a lower-case hexadecimal digit; 0xff for bytes that are none.
const DIGIT: [u8; 256] = {
    let mut table = [0xff; 256];
    let mut value = 0;
    while value < 16 {
        table[b"0123456789abcdef"[value] as usize] = value as u8;
        value += 1;
    }
    table
};

const PAIRS: [[u8; 2]; 256] = {
    let digits = b"0123456789abcdef";
    let mut pairs = [[0; 2]; 256];
    let mut byte = 0;
    while byte < 256 {
        pairs[byte] = [digits[byte >> 4], digits[byte & 15]];
        byte += 1;
    }
    pairs
};

/// The number that `digits` spell in lower case, at most 16 of them.
#[inline]
pub(crate) fn parse_lower(digits: &[u8]) -> Option<u64> {
    debug_assert!(digits.len() <= 16);
    let mut value = 0;
    // Bad digits leave a mark in `seen` instead of a branch per byte.
    let mut seen = 0;
    for &digit in digits {
        let digit = DIGIT[digit as usize];
        seen |= digit;
        value = value << 4 | u64::from(digit & 15);
    }
    (seen < 16).then_some(value)
}

/// The number that `digits` spell in either case, at most 16 of them.
#[inline]
pub(crate) fn parse(digits: &[u8]) -> Option<u64> {
    let mut lower = [0; 16];
    let lower = lower.get_mut(..digits.len())?;
    lower.copy_from_slice(digits);
    lower.make_ascii_lowercase();
    parse_lower(lower)
}

/// Writes `value` as `2 * N` lower-case digits.
#[inline]
pub(crate) fn write<const N: usize>(value: &[u8; N], out: &mut [u8]) {
    for (pair, byte) in out.chunks_exact_mut(2).zip(value) {
        pair.copy_from_slice(&PAIRS[*byte as usize]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_blanks_and_other_letters_are_no_digits() {
        for text in ["+1", "-1", " 1", "1 ", "0x", "g0", "é"] {
            assert_eq!(parse(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse_lower(b"AB"), None);
        assert_eq!(parse(b"AB"), Some(0xab));
        assert_eq!(parse(b"00000000000000000"), None, "seventeen digits do not fit");
    }
}
