use super::siphash::siphash128;
use super::{LONGEST, MAX_PARTS, Parts};

/// The parts of one key, encoded so that different parts never give the same bytes.
///
/// It is what names a key in a store. Each part is a tag, a length and its bytes. A part longer than [`INLINE`] bytes is replaced by
/// its 128-bit digest under a tag of its own, so a key has a fixed largest size and building it
/// never allocates.
pub(crate) struct KeyBuffer {
    bytes: [u8; CAPACITY],
    length: usize,
    secret: [u64; 2],
}

/// The longest part that stands in the key as it is.
const INLINE: usize = 64;
const CAPACITY: usize = MAX_PARTS * (2 + INLINE);

const DIGEST: u8 = 0x80;
const ABSENT: u8 = 0xff;

impl KeyBuffer {
    /// A key without parts yet; `secret` keys the digests of long ones.
    pub(crate) const fn new(secret: [u64; 2]) -> Self {
        Self { bytes: [0; CAPACITY], length: 0, secret }
    }

    fn append(&mut self, tag: u8, length: u8, part: &[u8]) {
        let end = self.length + 2 + part.len();
        // A policy with more parts than fit is refused when it is built.
        if let Some(room) = self.bytes.get_mut(self.length..end) {
            room[0] = tag;
            room[1] = length;
            room[2..].copy_from_slice(part);
            self.length = end;
        }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Parts for KeyBuffer {
    fn push(&mut self, tag: u8, part: &[u8]) {
        if part.len() <= INLINE {
            self.append(tag, part.len() as u8, part);
        } else {
            let part = if part.len() > LONGEST { &[] } else { part };
            self.append(tag | DIGEST, 16, &siphash128(self.secret, part).to_le_bytes());
        }
    }

    fn push_absent(&mut self, tag: u8) {
        self.append(tag, ABSENT, &[]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(parts: &[Vec<u8>]) -> Vec<u8> {
        let mut buffer = KeyBuffer::new([1, 2]);
        for part in parts {
            buffer.push(1, part);
        }
        buffer.as_bytes().to_vec()
    }

    proptest! {
        #[test]
        fn rl_41_different_parts_never_give_the_same_key(
            a in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..=MAX_PARTS),
            b in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..=MAX_PARTS),
        ) {
            prop_assert_eq!(encode(&a) == encode(&b), a == b);
        }
    }

    #[test]
    fn rl_41_a_separator_inside_a_part_separates_nothing() {
        let split = encode(&[b"x".to_vec(), b"user:y".to_vec()]);
        assert_ne!(split, encode(&[b"x:user".to_vec(), b"y".to_vec()]));
        assert_ne!(split, encode(&[b"x:user:y".to_vec()]));
    }

    #[test]
    fn rl_42_a_part_of_any_length_gives_a_key_of_bounded_length() {
        let long = |fill: u8, length: usize| vec![fill; length];
        let parts = vec![long(b'a', 70_000); MAX_PARTS];
        assert!(encode(&parts).len() <= CAPACITY);
        assert_ne!(encode(&[long(b'a', 65)]), encode(&[long(b'b', 65)]));
        let oversized = encode(&[long(b'a', 70_000)]);
        assert_eq!(oversized, encode(&[long(b'b', 90_000)]), "they share one key, none is free");
    }

    #[test]
    fn an_absent_part_is_not_an_empty_one() {
        let (mut absent, mut empty) = (KeyBuffer::new([0; 2]), KeyBuffer::new([0; 2]));
        absent.push_absent(1);
        empty.push(1, b"");
        assert_ne!(absent.as_bytes(), empty.as_bytes());
    }
}
