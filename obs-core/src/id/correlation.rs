use std::fmt;
use std::hash::{Hash, Hasher};

use super::hex;

/// The id that ties together everything done for one request, across services and messages.
///
/// 1 to 128 bytes of `[A-Za-z0-9._:+/=@-]`; nothing else is ever taken over from outside, so the
/// same bytes may stand in a header, a line and a message attribute. Never allocates.
///
/// ```
/// use obs_core::id::CorrelationId;
///
/// assert_eq!(CorrelationId::parse(b"order-7/retry=1").unwrap().as_str(), "order-7/retry=1");
/// assert_eq!(CorrelationId::parse(b"a\r\nset-cookie: x"), None);
/// assert_eq!(CorrelationId::parse(b""), None);
/// ```
#[derive(Clone)]
pub struct CorrelationId {
    length: u8,
    bytes: [u8; MAX_LENGTH],
}

const MAX_LENGTH: usize = 128;

impl CorrelationId {
    /// The longest id, in bytes.
    pub const MAX_LENGTH: usize = MAX_LENGTH;

    /// Takes over `bytes` if they keep to the grammar.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty()
            || bytes.len() > MAX_LENGTH
            || !bytes.iter().all(|&byte| ALLOWED[usize::from(byte)])
        {
            return None;
        }
        let mut copy = [0; MAX_LENGTH];
        copy[..bytes.len()].copy_from_slice(bytes);
        Some(Self { length: bytes.len() as u8, bytes: copy })
    }

    /// The text of a UUID version 7 ([RFC 9562](https://www.rfc-editor.org/rfc/rfc9562#section-5.7)).
    pub(super) fn uuid_v7(unix_millis: u64, random: u128) -> Self {
        const VERSION: u128 = 0x7 << 76;
        const VARIANT: u128 = 0b10 << 62;
        const RANDOM: u128 = 0x0fff << 64 | (u64::MAX >> 2) as u128;
        let millis = u128::from(unix_millis & 0xffff_ffff_ffff) << 80;
        let value = millis | VERSION | VARIANT | random & RANDOM;

        let digits = hex::digits_32(value);
        let mut bytes = [0; MAX_LENGTH];
        bytes[..36].copy_from_slice(b"00000000-0000-0000-0000-000000000000");
        bytes[..8].copy_from_slice(&digits[..8]);
        bytes[9..13].copy_from_slice(&digits[8..12]);
        bytes[14..18].copy_from_slice(&digits[12..16]);
        bytes[19..23].copy_from_slice(&digits[16..20]);
        bytes[24..36].copy_from_slice(&digits[20..]);
        Self { length: 36, bytes }
    }

    /// The id as bytes; cheaper than [`CorrelationId::as_str`] where bytes will do.
    ///
    /// ```
    /// use obs_core::id::CorrelationId;
    ///
    /// assert_eq!(CorrelationId::parse(b"order-7").expect("it is one").as_bytes(), b"order-7");
    /// ```
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// The id as text.
    #[inline]
    #[must_use]
    pub fn as_str(&self) -> &str {
        // The grammar is a subset of ASCII, so this never falls back.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

const fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'.' | b'_' | b':' | b'+' | b'/' | b'=' | b'@' | b'-')
}

/// What [`is_allowed`], to be looked up.
static ALLOWED: [bool; 256] = {
    let mut allowed = [false; 256];
    let mut byte = 0;
    while byte < allowed.len() {
        allowed[byte] = is_allowed(byte as u8);
        byte += 1;
    }
    allowed
};

impl PartialEq for CorrelationId {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for CorrelationId {}

impl Hash for CorrelationId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl AsRef<str> for CorrelationId {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CorrelationId({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_generated_id_is_a_uuid_of_version_7() {
        let id = CorrelationId::uuid_v7(0x0190_0000_0001, u128::MAX);
        assert_eq!(id.as_str(), "01900000-0001-7fff-bfff-ffffffffffff");
        let id = CorrelationId::uuid_v7(0, 0);
        assert_eq!(id.as_str(), "00000000-0000-7000-8000-000000000000");
        assert_eq!(CorrelationId::parse(id.as_bytes()), Some(id));
    }

    #[test]
    fn control_characters_quotes_markup_and_length_are_refused() {
        let long = [b'a'; 129];
        for bytes in [&b"a\rb"[..], b"a\nb", b"a\0b", b"a\"b", b"<a>", b"\x1b[31m", b"a b", &long] {
            assert_eq!(CorrelationId::parse(bytes), None, "{bytes:?}");
        }
        assert_eq!(CorrelationId::parse("é".as_bytes()), None);
        assert!(CorrelationId::parse(&long[..128]).is_some());
    }

    proptest! {
        #[test]
        fn an_accepted_id_is_kept_byte_for_byte(bytes in prop::collection::vec(any::<u8>(), 0..140)) {
            if let Some(id) = CorrelationId::parse(&bytes) {
                prop_assert_eq!(id.as_bytes(), &bytes[..]);
                prop_assert_eq!(id.as_str().as_bytes(), &bytes[..]);
            }
        }
    }
}
