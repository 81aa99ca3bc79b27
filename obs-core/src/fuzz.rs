//! Anything out of bytes, for the functions that state what holds for every input.

/// Reads values out of bytes; when they are used up, zeros.
pub(crate) struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub(crate) fn number(&mut self) -> u64 {
        u64::from_be_bytes([(); 8].map(|()| self.byte()))
    }

    /// A few bytes, repeated up to 255 times: long texts out of little input.
    pub(crate) fn text(&mut self) -> String {
        let (length, times) = (usize::from(self.byte()), usize::from(self.byte()));
        let (text, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        String::from_utf8_lossy(text).repeat(times)
    }
}
