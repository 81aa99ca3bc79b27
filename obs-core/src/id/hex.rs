//! Fixed-width hexadecimal, strict: no sign, no prefix, no other length.

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

/// The 8 lower-case digits of `value`.
///
/// All eight at once, as [`eight`] reads them: each nibble gets a byte of its own, and those of ten
/// and more a letter.
#[inline]
pub(crate) const fn digits_8(value: u32) -> [u8; 8] {
    let halves = value as u64;
    let bytes = (halves | halves << 16) & 0x0000_ffff_0000_ffff;
    let bytes = (bytes | bytes << 8) & 0x00ff_00ff_00ff_00ff;
    let nibbles = (bytes | bytes << 4) & (0x0f * ONES);
    let letters = ((nibbles + 6 * ONES) >> 4) & ONES;
    (nibbles + 0x30 * ONES + letters * 0x27).to_be_bytes()
}

/// The 16 lower-case digits of `value`.
#[inline]
pub(crate) fn digits_16(value: u64) -> [u8; 16] {
    let mut digits = [0; 16];
    digits[..8].copy_from_slice(&digits_8((value >> 32) as u32));
    digits[8..].copy_from_slice(&digits_8(value as u32));
    digits
}

/// The 32 lower-case digits of `value`.
#[inline]
pub(crate) fn digits_32(value: u128) -> [u8; 32] {
    let mut digits = [0; 32];
    digits[..16].copy_from_slice(&digits_16((value >> 64) as u64));
    digits[16..].copy_from_slice(&digits_16(value as u64));
    digits
}

/// The two lower-case digits of `value`.
#[inline]
pub(crate) const fn digits_2(value: u8) -> [u8; 2] {
    let [.., high, low] = digits_8(value as u32);
    [high, low]
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
    fn every_byte_in_every_place_is_written_as_the_standard_library_writes_it() {
        for byte in 0..=u8::MAX {
            assert_eq!(digits_2(byte), *format!("{byte:02x}").as_bytes());
            for place in [0, 8, 16, 24] {
                let value = u32::from(byte) << place | 0x9a09_f0a5_u32.rotate_left(place);
                assert_eq!(digits_8(value), *format!("{value:08x}").as_bytes());
            }
        }
        let value = 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210;
        assert_eq!(digits_32(value), *b"0123456789abcdeffedcba9876543210");
    }

    #[test]
    fn sixteen_digits_keep_their_order() {
        assert_eq!(parse_lower_16(b"0123456789abcdef"), Some(0x0123_4567_89ab_cdef));
        assert_eq!(parse_16(b"0123456789ABCdef"), Some(0x0123_4567_89ab_cdef));
        assert_eq!(parse_lower_16(b"0123456789ABCDEF"), None);
        assert_eq!((parse_lower_2(*b"0f"), parse_2(*b"F0")), (Some(0x0f), Some(0xf0)));
    }
}
