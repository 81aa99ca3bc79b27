use http::HeaderValue;

/// The largest integer of a structured field (RFC 9651, section 3.3.1).
const LARGEST: u64 = 999_999_999_999_999;

/// Its digits.
pub(super) const LONGEST_NUMBER: usize = 15;

/// What is written without allocation, until it is a header value.
const INLINE: usize = 128;

/// A header value that is being written, in a room that was measured before.
pub(super) struct Text<'a> {
    room: &'a mut [u8],
    length: usize,
}

impl Text<'_> {
    /// The value that `write` writes, of at most `room` bytes.
    pub(super) fn write(room: usize, write: impl FnOnce(&mut Text<'_>)) -> HeaderValue {
        let (mut inline, mut heap) = ([0; INLINE], Vec::new());
        let room = if room <= INLINE {
            &mut inline[..]
        } else {
            heap.resize(room, 0);
            &mut heap[..]
        };
        let mut text = Text { room, length: 0 };
        write(&mut text);
        HeaderValue::from_bytes(&text.room[..text.length])
            .expect("names are visible ASCII, and the rest is digits")
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Appends `bytes`; what does not fit the room, which is measured so that all does, is left
    /// out.
    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        if let Some(room) = self.room.get_mut(self.length..end) {
            room.copy_from_slice(bytes);
            self.length = end;
        }
    }

    #[inline]
    pub(super) fn push_number(&mut self, number: u64) {
        let number = number.min(LARGEST);
        match small(number) {
            Some(digits) => self.push(digits.as_bytes()),
            None => self.push(itoa::Buffer::new().format(number).as_bytes()),
        }
    }
}

/// A number as a header value; one of two digits at most takes no allocation.
pub(super) fn number(number: u64) -> HeaderValue {
    small(number).map_or_else(|| HeaderValue::from(number), HeaderValue::from_static)
}

/// The numbers from 00 to 99.
const DIGITS: &str = "00010203040506070809101112131415161718192021222324252627282930313233343536373839\
                      40414243444546474849505152535455565758596061626364656667686970717273747576777879\
                      8081828384858687888990919293949596979899";

#[inline]
fn small(number: u64) -> Option<&'static str> {
    let tens = usize::try_from(number).ok().filter(|it| *it < 100)? * 2;
    DIGITS.get(tens + usize::from(number < 10)..tens + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_in_digits_whatever_their_size() {
        for written in (0..200).chain([999, 1_000, LARGEST, u64::MAX]) {
            assert_eq!(number(written), written.to_string().as_str());
            let text = Text::write(LONGEST_NUMBER, |text| text.push_number(written));
            assert_eq!(text, written.min(LARGEST).to_string().as_str());
        }
    }

    #[test]
    fn a_text_longer_than_what_stands_inline_is_written_whole() {
        let text = Text::write(2 * INLINE, |text| (0..INLINE).for_each(|_| text.push(b"ab")));
        assert_eq!(text.len(), 2 * INLINE);
    }
}
