use std::fmt;
use std::num::NonZeroU64;

use super::{Ascii, hex};

/// The id of a span (X-Ray: segment): 8 bytes, not all zero.
///
/// ```
/// use obs_core::id::SpanId;
///
/// let id = SpanId::from_hex("4c721bf33e3caf8f").unwrap();
/// assert_eq!(id.to_hex(), "4c721bf33e3caf8f");
/// assert_eq!(SpanId::from_hex("0000000000000000"), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(NonZeroU64);

impl SpanId {
    /// The id with this value; `None` for zero.
    #[must_use]
    pub const fn new(value: u64) -> Option<Self> {
        match NonZeroU64::new(value) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }

    /// Reads exactly 16 lower-case hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        Self::from_hex_bytes(text.as_bytes())
    }

    #[inline]
    pub(crate) fn from_hex_bytes(text: &[u8]) -> Option<Self> {
        Self::new(hex::parse_lower_16(text.try_into().ok()?)?)
    }

    /// 16 lower-case hexadecimal digits.
    #[inline]
    #[must_use]
    pub fn to_hex(self) -> Ascii<16> {
        Ascii::new(hex::digits_16(self.0.get()))
    }

    /// The 64 bits as a number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// Big-endian bytes.
    ///
    /// ```
    /// use obs_core::id::SpanId;
    ///
    /// let id = SpanId::new(258).expect("not zero");
    /// assert_eq!((id.get(), id.to_bytes()), (258, [0, 0, 0, 0, 0, 0, 1, 2]));
    /// assert_eq!(SpanId::new(0), None);
    /// ```
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0.get().to_be_bytes()
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_hex())
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpanId({self})")
    }
}
