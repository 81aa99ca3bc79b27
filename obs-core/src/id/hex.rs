//! Fixed-width hexadecimal, strict: no sign, no prefix, no other length.

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

/// The number that 16 digits spell in lower case.
#[inline]
pub(crate) fn parse_lower_16(digits: &[u8; 16]) -> Option<u64> {
    let (high, low) = digits.split_first_chunk::<8>()?;
    Some(eight(u64::from_be_bytes(*high))? << 32 | eight(u64::from_be_bytes(*low.first_chunk()?))?)
}

/// The number that 16 digits spell in either case.
#[inline]
pub(crate) fn parse_16(digits: &[u8; 16]) -> Option<u64> {
    let (high, low) = digits.split_first_chunk::<8>()?;
    Some(parse_8(high)? << 32 | parse_8(low.first_chunk()?)?)
}

/// The number that 8 digits spell in either case.
#[inline]
pub(crate) fn parse_8(digits: &[u8; 8]) -> Option<u64> {
    let digits = u64::from_be_bytes(*digits);
    // Bit 5 makes letters lower-case; it is set where bit 6 says that there is a letter.
    eight(digits | (digits & LETTER) >> 1)
}

/// The number that two digits spell in lower case.
#[inline]
pub(crate) fn parse_lower_2(digits: [u8; 2]) -> Option<u8> {
    let padded = [b'0', b'0', b'0', b'0', b'0', b'0', digits[0], digits[1]];
    Some(eight(u64::from_be_bytes(padded))? as u8)
}

/// The number that two digits spell in either case.
#[inline]
pub(crate) fn parse_2(digits: [u8; 2]) -> Option<u8> {
    let padded = [b'0', b'0', b'0', b'0', b'0', b'0', digits[0], digits[1]];
    Some(parse_8(&padded)? as u8)
}

/// One in each byte.
const ONES: u64 = 0x0101_0101_0101_0101;
/// The bit that tells `a` to `f` from `0` to `9`.
const LETTER: u64 = 0x40 * ONES;

/// The number that the eight bytes of `digits`, the first in the highest, spell in lower case.
///
/// All eight at once: a nibble is the low half of its byte, and 9 more for a letter. Whether each
/// byte was a digit shows when the byte is made again from its nibble.
#[inline]
const fn eight(digits: u64) -> Option<u64> {
    let letters = (digits & LETTER) >> 6;
    let nibbles = (digits & (0x0f * ONES)) + letters * 9;
    let again = nibbles + 0x30 * ONES + letters * 0x27;
    // A nibble of ten and more, and it alone, is written as a letter.
    let above_nine = ((nibbles + 6 * ONES) >> 4) & ONES;
    if again != digits || above_nine != letters || nibbles & (0xf0 * ONES) != 0 {
        return None;
    }
    let bytes = (nibbles >> 4 | nibbles) & 0x00ff_00ff_00ff_00ff;
    let halves = (bytes >> 8 | bytes) & 0x0000_ffff_0000_ffff;
    Some((halves >> 16 | halves) & 0xffff_ffff)
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
    fn every_byte_in_every_place_is_a_digit_or_is_not() {
        for place in 0..8 {
            for byte in 0..=u8::MAX {
                let mut digits = *b"01a9f5c7";
                digits[place] = byte;
                let text = std::str::from_utf8(&digits).ok();
                // Rust's own parser also takes a sign.
                let number = text
                    .filter(|text| !text.starts_with('+'))
                    .and_then(|text| u64::from_str_radix(text, 16).ok());
                let is_lower = !digits.iter().any(u8::is_ascii_uppercase);
                assert_eq!(parse_8(&digits), number, "{digits:?}");
                assert_eq!(eight(u64::from_be_bytes(digits)), number.filter(|_| is_lower));
            }
        }
    }

    #[test]
    fn sixteen_digits_keep_their_order() {
        assert_eq!(parse_lower_16(b"0123456789abcdef"), Some(0x0123_4567_89ab_cdef));
        assert_eq!(parse_16(b"0123456789ABCdef"), Some(0x0123_4567_89ab_cdef));
        assert_eq!(parse_lower_16(b"0123456789ABCDEF"), None);
        assert_eq!((parse_lower_2(*b"0f"), parse_2(*b"F0")), (Some(0x0f), Some(0xf0)));
    }
}
