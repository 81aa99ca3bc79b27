use std::fmt;
use std::ops::Deref;

/// ASCII text of exactly `N` bytes, on the stack.
///
/// ```
/// use obs_core::id::SpanId;
///
/// let text = SpanId::new(7).expect("not zero").to_hex();
/// assert_eq!(text.as_str(), "0000000000000007");
/// assert_eq!(text.as_bytes().len(), 16);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ascii<const N: usize>([u8; N]);

impl<const N: usize> Ascii<N> {
    /// `bytes` must be ASCII; the callers in this module write nothing else.
    pub(super) const fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// The text as bytes; cheaper than [`Ascii::as_str`] where bytes will do.
    #[inline]
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; N] {
        &self.0
    }

    /// The text.
    #[inline]
    #[must_use]
    pub fn as_str(&self) -> &str {
        // The bytes are ASCII by construction; the check costs a few nanoseconds and no `unsafe`.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl<const N: usize> Deref for Ascii<N> {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl<const N: usize> AsRef<str> for Ascii<N> {
    fn as_ref(&self) -> &str {
        self
    }
}

impl<const N: usize> fmt::Display for Ascii<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl<const N: usize> fmt::Debug for Ascii<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl<const N: usize> PartialEq<str> for Ascii<N> {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl<const N: usize> PartialEq<&str> for Ascii<N> {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}
