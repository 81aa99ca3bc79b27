use std::fmt;

use super::key;
use super::redact::Ending;

/// The key of a field that the program names itself, checked and encoded when it is compiled.
///
/// ```
/// use obs_core::clock::Timestamp;
/// use obs_core::log::{FieldKey, Line, LineFormat};
/// use tracing::Level;
///
/// const ITEMS: FieldKey = FieldKey::new("items");
///
/// let format = LineFormat::new("orders");
/// let mut buffer = Vec::new();
/// let mut line = Line::begin(
///     &mut buffer, &format, Timestamp::default(), Level::INFO, format_args!("placed"), "shop",
/// );
/// line.known(&ITEMS, 3_u64);
/// assert!(line.finish().ends_with(b"\"items\":3}\n"));
/// ```
#[derive(Clone, Copy)]
pub struct FieldKey {
    /// `,"key":` and what is left of the room.
    member: [u8; ROOM],
    length: u8,
    fingerprint: key::Fingerprint,
    ending: Ending,
}

/// Copied whole, because a copy of a known length is no call.
const ROOM: usize = 32;

/// A comma, two quotes and a colon.
const AROUND: usize = 4;

impl FieldKey {
    /// The longest key, in bytes.
    pub const MAX_LENGTH: usize = ROOM - AROUND;

    /// A key in `snake_case` of at most [`MAX_LENGTH`](Self::MAX_LENGTH) bytes that is none of the
    /// line's own members.
    ///
    /// # Panics
    /// If it is not. In a `const` or `static` that is an error of the compiler.
    #[must_use]
    pub const fn new(key: &str) -> Self {
        let key = key.as_bytes();
        assert!(!key.is_empty() && key.len() <= Self::MAX_LENGTH, "the key is too short or long");
        assert!(!key::is_reserved(key), "lines have a member of this name");
        let mut member = [0; ROOM];
        member[0] = b',';
        member[1] = b'"';
        let mut at = 0;
        while at < key.len() {
            assert!(key::is_snake(key[at]), "the key is not in snake_case");
            member[at + 2] = key[at];
            at += 1;
        }
        member[at + 2] = b'"';
        member[at + 3] = b':';
        let (fingerprint, ending) = (key::Fingerprint::of(key), Ending::of(key));
        Self { member, length: key.len() as u8, fingerprint, ending }
    }

    #[inline]
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.member[2..2 + usize::from(self.length)]
    }

    #[inline]
    pub(super) const fn fingerprint(&self) -> key::Fingerprint {
        self.fingerprint
    }

    #[inline]
    pub(super) const fn ending(&self) -> Ending {
        self.ending
    }

    /// Appends `,"key":`.
    #[inline]
    pub(super) fn append_to(&self, out: &mut Vec<u8>) {
        let end = out.len() + usize::from(self.length) + AROUND;
        out.extend_from_slice(&self.member);
        out.truncate(end);
    }
}

impl fmt::Debug for FieldKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FieldKey({:?})", String::from_utf8_lossy(self.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn a_known_key_is_written_as_any_other() {
        for name in ["a", "items", "response_bytes", "a_key_of_twenty_eight_bytes_"] {
            let (mut known, mut other) = (b"{".to_vec(), b"{".to_vec());
            FieldKey::new(name).append_to(&mut known);
            key::write(&mut other, name);
            assert_eq!(known, other);
            assert_eq!(FieldKey::new(name).fingerprint(), key::Fingerprint::of(name.as_bytes()));
        }
    }

    #[test]
    fn a_key_that_a_line_would_change_is_refused() {
        for name in ["", "orderId", "http.route", "level", "_aws", "a_key_of_twenty_nine_bytes___"]
        {
            assert!(catch_unwind(|| FieldKey::new(name)).is_err(), "{name}");
        }
    }
}
