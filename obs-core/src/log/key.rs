use smallvec::SmallVec;

use super::scan;

/// The longest key of a field; longer ones are cut.
const MAX_LENGTH: usize = 128;

const PREFIX: &[u8] = b"field_";

/// The names the line itself uses.
const RESERVED: [&[u8]; 14] = [
    b"timestamp",
    b"level",
    b"message",
    b"target",
    b"service",
    b"correlation_id",
    b"trace_id",
    b"span_id",
    b"xray_trace_id",
    b"tenant_id",
    b"user_id",
    b"part",
    b"truncated",
    b"_aws",
];

/// One bit for two bytes and the length of each of them: most keys are told apart by it.
const RESERVED_BITS: [u16; 32] = {
    let mut bits = [0; 32];
    let mut index = 0;
    while index < RESERVED.len() {
        let (place, bit) = reserved_bit(RESERVED[index]);
        bits[place] |= bit;
        index += 1;
    }
    bits
};

/// The place and the bit of a key that is not empty.
const fn reserved_bit(key: &[u8]) -> (usize, u16) {
    (((key[0] ^ key[key.len() / 2]) & 31) as usize, 1 << (key.len() & 15))
}

/// Whether a key is one of the names that the line itself uses.
#[inline]
pub(super) const fn is_reserved(key: &[u8]) -> bool {
    if key.is_empty() {
        return false;
    }
    let (place, bit) = reserved_bit(key);
    RESERVED_BITS[place] & bit != 0 && is_listed(key)
}

#[cold]
const fn is_listed(key: &[u8]) -> bool {
    let mut index = 0;
    while index < RESERVED.len() {
        if is_same(RESERVED[index], key) {
            return true;
        }
        index += 1;
    }
    false
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    if one.len() != other.len() {
        return false;
    }
    while at < one.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len()
}

/// Appends `,"key":` with the key in `snake_case`, and `field_` before a reserved or empty one;
/// says how long the key became. It starts two bytes after where `out` ended.
// Each field passes here once; the call alone is a tenth of its cost.
#[inline(always)]
pub(super) fn write(out: &mut Vec<u8>, key: &str) -> usize {
    out.extend_from_slice(b",\"");
    let start = out.len();
    let key = match key.as_bytes() {
        [b'r', b'#', key @ ..] => key,
        key => key,
    };
    let is_plain = key.len() <= MAX_LENGTH && scan::is_snake(key);
    if is_plain {
        if key.is_empty() || is_reserved(key) {
            out.extend_from_slice(PREFIX);
        }
        out.extend_from_slice(key);
    } else {
        write_in_snake_case(out, key);
        if is_reserved(&out[start..]) {
            out.splice(start..start, PREFIX.iter().copied());
        }
    }
    let length = out.len() - start;
    out.extend_from_slice(b"\":");
    length
}

pub(super) const fn is_snake(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'
}

fn write_in_snake_case(out: &mut Vec<u8>, key: &[u8]) {
    let end = out.len() + MAX_LENGTH;
    let mut before = b'_';
    for &byte in key {
        // One underscore for each character that is not ASCII, not for each of its bytes.
        if byte & 0xc0 == 0x80 {
            continue;
        }
        let starts_word =
            byte.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_digit());
        if out.len() + usize::from(starts_word) >= end {
            return;
        }
        if starts_word {
            out.push(b'_');
        }
        let lower = byte.to_ascii_lowercase();
        out.push(if is_snake(lower) { lower } else { b'_' });
        before = byte;
    }
}

/// The keys that stand in a buffer, to find one that is there already.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    /// Where each key starts, after its opening quote.
    keys: SmallVec<[(u32, Fingerprint); 16]>,
    /// One bit for each fingerprint seen: most new keys are told apart by this alone.
    seen: u64,
}

impl Keys {
    /// Whether the key stands in `buffer`.
    #[inline]
    pub(super) fn contain(&self, buffer: &[u8], key: &[u8], fingerprint: Fingerprint) -> bool {
        self.seen & fingerprint.bit() != 0 && self.is_listed(buffer, key, fingerprint)
    }

    #[cold]
    fn is_listed(&self, buffer: &[u8], key: &[u8], fingerprint: Fingerprint) -> bool {
        self.keys.iter().filter(|(_, known)| *known == fingerprint).any(|&(start, _)| {
            let from = buffer.get(start as usize..).unwrap_or_default();
            from.starts_with(key) && from.get(key.len()) == Some(&b'"')
        })
    }

    #[inline]
    pub(super) fn push(&mut self, start: usize, fingerprint: Fingerprint) {
        self.seen |= fingerprint.bit();
        self.keys.push((start as u32, fingerprint));
    }
}

/// A few bits that depend on a key; keys whose fingerprints differ are not the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fingerprint(u32);

impl Fingerprint {
    /// Looks at both ends and the length, which is enough to tell most keys of a line apart.
    #[inline]
    pub(super) const fn of(key: &[u8]) -> Self {
        let (first, last) = match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
            (Some(first), Some(last)) => (u64::from_le_bytes(*first), u64::from_le_bytes(*last)),
            _ => Self::short(key),
        };
        let mixed = first ^ last.rotate_left(29) ^ key.len() as u64;
        Self((mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32)
    }

    /// Both ends of a key of less than eight bytes.
    #[inline]
    const fn short(key: &[u8]) -> (u64, u64) {
        if let (Some(first), Some(last)) = (key.first_chunk::<4>(), key.last_chunk::<4>()) {
            return (u32::from_le_bytes(*first) as u64, u32::from_le_bytes(*last) as u64);
        }
        match *key {
            [] => (0, 0),
            [only] => (only as u64, only as u64),
            [first, second, ..] => ((first as u64) << 8 | second as u64, key[key.len() - 1] as u64),
        }
    }

    /// The bit that stands for it among 64.
    #[inline]
    const fn bit(self) -> u64 {
        1 << (self.0 >> 26)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(key: &str) -> String {
        let mut out = Vec::new();
        let length = write(&mut out, key);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.len(), length + 4);
        text[2..2 + length].to_owned()
    }

    #[test]
    fn keys_become_snake_case() {
        for (key, expected) in [
            ("order_id", "order_id"),
            ("orderId", "order_id"),
            ("http.response.status", "http_response_status"),
            ("HTTPStatus", "httpstatus"),
            ("a b\"c\nd", "a_b_c_d"),
            ("größe", "gr__e"),
            ("r#type", "type"),
        ] {
            assert_eq!(written(key), expected);
        }
    }

    #[test]
    fn reserved_and_empty_keys_get_a_prefix() {
        for (key, expected) in [
            ("timestamp", "field_timestamp"),
            ("Level", "field_level"),
            ("trace.id", "field_trace_id"),
            ("_aws", "field__aws"),
            ("", "field_"),
        ] {
            assert_eq!(written(key), expected);
        }
    }

    #[test]
    fn reserved_keys_are_told_from_their_like() {
        for key in RESERVED {
            assert!(is_reserved(key));
            assert!(!is_reserved(&key[1..]) && !is_reserved(&[key, b"s"].concat()));
            let mut like = vec![b'z'; key.len()];
            (like[0], like[key.len() / 2]) = (key[0], key[key.len() / 2]);
            assert!(!is_reserved(&like), "the same bit is not enough");
        }
        assert!(!is_reserved(b""));
    }

    #[test]
    fn a_long_key_is_cut() {
        assert_eq!(written(&"k".repeat(500)).len(), 128);
        assert!(written(&"aB".repeat(500)).len() <= 128);
    }
}
