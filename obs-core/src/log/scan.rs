//! Tests on eight bytes at once, since most text needs no change at all.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Whether text can stand in a JSON string as it is: ASCII without quotes, backslashes and control
/// characters.
#[inline]
pub(super) fn is_clean(bytes: &[u8]) -> bool {
    every_word(bytes, |word| {
        let control = !at_least(word, b' ') | equal(word, 0x7f);
        // With a high bit in `word` itself the others prove nothing, but that is unclean anyway.
        (control | equal(word, b'"') | equal(word, b'\\') | word) & HIGHS == 0
    })
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

/// What the bytes of a text are, one bit for each of at most 64.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Classes {
    /// ASCII from `+` on: everything that a token is made of, and some more.
    pub(super) graphic: u64,
    /// Digits, blanks and hyphens.
    pub(super) spaced_digits: u64,
    /// Whether there is an `@`.
    pub(super) has_at: bool,
}

impl Classes {
    /// Looks at the first 64 bytes, of which there are at least eight.
    #[inline]
    pub(super) fn of(bytes: &[u8]) -> Self {
        let (words, rest) = bytes[..bytes.len().min(64)].as_chunks::<8>();
        let mut classes = Self::default();
        for (index, word) in words.iter().enumerate() {
            classes.add(u64::from_le_bytes(*word), 8 * index as u32);
        }
        if let (false, Some(last)) = (rest.is_empty(), bytes.last_chunk::<8>()) {
            // The bytes seen already go out at the bottom, and zeros are of no class.
            let unseen = u64::from_le_bytes(*last) >> (64 - 8 * rest.len());
            classes.add(unseen, 8 * words.len() as u32);
        }
        classes
    }

    #[inline]
    fn add(&mut self, bytes: u64, shift: u32) {
        let (word, ascii) = (bytes & !HIGHS, !bytes & HIGHS);
        let graphic = at_least(word, b'+') & ascii;
        let digits = at_least(word, b'0') & !at_least(word, b'9' + 1);
        let spaced_digits = (digits | equal(word, b' ') | equal(word, b'-')) & ascii;
        self.graphic |= gather(graphic) << shift;
        self.spaced_digits |= gather(spaced_digits) << shift;
        self.has_at |= equal(word, b'@') & ascii != 0;
    }
}

/// The high bits of the eight bytes, side by side.
const fn gather(highs: u64) -> u64 {
    // Each bit is multiplied to its place in the topmost byte; no two sums meet below it.
    (highs >> 7).wrapping_mul(0x0102_0408_1020_4080) >> 56
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
            let clean = (0x20..0x7f).contains(&byte) && !matches!(byte, b'"' | b'\\');
            let snake = matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
            for length in 1..20 {
                for place in 0..length {
                    let mut bytes = vec![b'x'; length];
                    bytes[place] = byte;
                    assert_eq!(is_clean(&bytes), clean, "{bytes:?}");
                    assert_eq!(is_snake(&bytes), snake, "{bytes:?}");
                }
            }
        }
    }

    #[test]
    fn each_byte_has_its_bit() {
        for byte in 0..=255_u8 {
            for length in [8, 9, 13, 16, 63, 64] {
                for place in 0..length {
                    let mut bytes = vec![b'"'; length];
                    bytes[place] = byte;
                    let bit = |is: bool| u64::from(is) << place;
                    let expected = Classes {
                        graphic: bit((b'+'..0x80).contains(&byte)),
                        spaced_digits: bit(byte.is_ascii_digit() || matches!(byte, b' ' | b'-')),
                        has_at: byte == b'@',
                    };
                    assert_eq!(Classes::of(&bytes), expected, "{bytes:?}");
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
