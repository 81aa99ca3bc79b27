//! Tests on eight bytes at once, since most text needs no change at all.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Whether text can stand in a JSON string as it is: ASCII without quotes, backslashes and control
/// characters.
#[inline]
pub(super) fn is_clean(bytes: &[u8]) -> bool {
    every_word(bytes, is_clean_word)
}

#[inline]
fn is_clean_word(word: u64) -> bool {
    let control = !at_least(word, b' ') | equal(word, 0x7f);
    // With a high bit in `word` itself the others prove nothing, but that is unclean anyway.
    (control | equal(word, b'"') | equal(word, b'\\') | word) & HIGHS == 0
}

/// As [`is_clean`], and without an `@`.
#[inline]
pub(super) fn is_plain(bytes: &[u8]) -> bool {
    every_word(bytes, |word| is_clean_word(word) && equal(word, b'@') & HIGHS == 0)
}

/// As [`is_clean`], for a single byte.
pub(super) const fn is_clean_byte(byte: u8) -> bool {
    matches!(byte, b' '..0x7f) && !matches!(byte, b'"' | b'\\')
}

/// Whether every byte is one of `[a-z0-9_]`.
#[inline]
pub(super) fn is_snake(bytes: &[u8]) -> bool {
    every_word(bytes, |word| {
        let letter = at_least(word, b'a') & !at_least(word, b'z' + 1);
        let digit = at_least(word, b'0') & !at_least(word, b'9' + 1);
        word & HIGHS == 0 && (letter | digit | equal(word, b'_')) & HIGHS == HIGHS
    })
}

/// Whether `byte`, which is ASCII, is among the bytes.
#[inline]
pub(super) fn contains(bytes: &[u8], byte: u8) -> bool {
    // A byte beyond ASCII may hide a match from `equal` and is no match itself, so it is masked.
    !every_word(bytes, |word| equal(word & !HIGHS, byte) & !word & HIGHS == 0)
}

/// The high bit of each byte that is at least `least`, for words of ASCII.
const fn at_least(word: u64, least: u8) -> u64 {
    word.wrapping_add(ONES * (0x80 - least as u64))
}

/// The high bit of each byte that equals `byte`, for words of ASCII.
const fn equal(word: u64, byte: u8) -> u64 {
    // A byte of the difference is below 0x80, so that adding 0x7f sets its high bit unless it is
    // zero, and never carries into its neighbour.
    !((word ^ (ONES * byte as u64)).wrapping_add(!HIGHS))
}

/// Whether `test` holds for words that together cover all bytes; a word may repeat bytes.
#[inline]
fn every_word(bytes: &[u8], test: impl Fn(u64) -> bool) -> bool {
    if let Some(last) = bytes.last_chunk::<8>() {
        let mut words = bytes.chunks_exact(8).filter_map(|chunk| chunk.first_chunk::<8>());
        return words.all(|word| test(u64::from_le_bytes(*word)))
            && test(u64::from_le_bytes(*last));
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let low = u64::from(u32::from_le_bytes(*first));
        return test(low | u64::from(u32::from_le_bytes(*last)) << 32);
    }
    match *bytes {
        [] => true,
        [a] => test(ONES * u64::from(a)),
        [a, b] => test(u64::from_le_bytes([a, b, a, b, a, b, a, b])),
        [a, b, c, ..] => test(u64::from_le_bytes([a, b, c, a, b, c, a, b])),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_single_byte_is_judged_right_in_every_place() {
        for byte in 0..=255_u8 {
            let clean = is_clean_byte(byte);
            let snake = matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
            for length in 1..20 {
                for place in 0..length {
                    let mut bytes = vec![b'x'; length];
                    bytes[place] = byte;
                    assert_eq!(is_clean(&bytes), clean, "{bytes:?}");
                    assert_eq!(is_plain(&bytes), clean && byte != b'@', "{bytes:?}");
                    assert_eq!(is_snake(&bytes), snake, "{bytes:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn words_judge_like_bytes(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let clean = |b: &u8| (0x20..0x7f).contains(b) && !matches!(b, b'"' | b'\\');
            let snake = |b: &u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_');
            prop_assert_eq!(is_clean(&bytes), bytes.iter().all(clean));
            prop_assert_eq!(is_snake(&bytes), bytes.iter().all(snake));
            for byte in [b'@', bytes.first().copied().unwrap_or_default() & 0x7f] {
                prop_assert_eq!(contains(&bytes, byte), bytes.contains(&byte));
            }
        }
    }
}
