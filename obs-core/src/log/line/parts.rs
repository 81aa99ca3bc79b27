//! A line that is too long goes on in further lines, which are its parts.

use super::{CLOSING, Line};
use crate::log::number;

/// How much room a part has for its tail.
///
/// ```
/// use obs_core::clock::Timestamp;
/// use obs_core::log::{Line, LineFormat, LineLevel};
///
/// let (mut out, format) = (Vec::new(), LineFormat::new("orders"));
/// let at = Timestamp::from_unix_millis(0);
/// let line = Line::begin(&mut out, &format, at, LineLevel::Info, format_args!("done"), "orders");
/// let line = line.finish_with_tails(|tail, room| {
///     assert!(room.bytes > 1_000);
///     tail.extend_from_slice(br#","Requests":1"#);
///     false // there is no further part
/// });
/// assert!(line.ends_with(b",\"Requests\":1}\n"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TailRoom {
    /// Bytes left in the part.
    pub bytes: usize,
    /// Whether fields come before the tail; without any, a further part has no more room.
    pub has_fields: bool,
}

impl<'b> Line<'b> {
    /// Ends the line with one or several tails, each in a part of its own.
    ///
    /// `tail` is told how much room its part has, and answers whether there is more to write. It
    /// may write nothing into a part that has fields and ask for the next; a part without fields
    /// in which it writes nothing is the last.
    ///
    /// ```
    /// use obs_core::clock::Timestamp;
    /// use obs_core::log::{Line, LineFormat, LineLevel};
    ///
    /// let (mut out, format) = (Vec::new(), LineFormat::new("orders"));
    /// let at = Timestamp::from_unix_millis(0);
    /// let line = Line::begin(&mut out, &format, at, LineLevel::Info, format_args!("done"), "orders");
    /// let line = line.finish_with_tails(|tail, _room| {
    ///     tail.extend_from_slice(br#","Requests":1"#);
    ///     false // there is no further part
    /// });
    /// assert!(line.ends_with(b",\"Requests\":1}\n"));
    /// ```
    pub fn finish_with_tails(
        mut self,
        mut tail: impl FnMut(&mut Vec<u8>, TailRoom) -> bool,
    ) -> &'b [u8] {
        loop {
            let mut tail_start = self.out.len();
            let has_fields = tail_start - self.start > self.head.len();
            let taken = tail_start - self.start + CLOSING;
            let bytes = self.format.max_line_bytes.saturating_sub(taken);
            let more = tail(self.out, TailRoom { bytes, has_fields });
            let wrote = self.out.len() > tail_start;
            if has_fields && wrote && self.is_too_long() {
                tail_start = self.continue_in_next_part(tail_start);
            }
            let more = more && (wrote || has_fields);
            self.mark(tail_start, more);
            self.out.extend_from_slice(b"}\n");
            if !more {
                return &self.out[self.head.start..];
            }
            self.begin_next_part();
        }
    }

    /// Writes `part` and `truncated` before the tail, where they apply.
    fn mark(&mut self, tail_start: usize, more: bool) {
        let in_parts = self.part > 1 || more;
        let truncated = self.truncated && !more;
        if in_parts || truncated {
            let tail = self.out.split_off(tail_start);
            if in_parts {
                self.write_part();
            }
            if truncated {
                self.out.extend_from_slice(b",\"truncated\":true");
            }
            self.out.extend_from_slice(&tail);
        }
    }

    pub(super) fn is_too_long(&self) -> bool {
        self.out.len() > self.end
    }

    /// Ends the part before `from` and moves what follows into a new one; says where that is now.
    #[cold]
    pub(super) fn continue_in_next_part(&mut self, from: usize) -> usize {
        let moved = self.out.split_off(from);
        self.write_part();
        self.out.extend_from_slice(b"}\n");
        self.begin_next_part();
        let start = self.out.len();
        self.out.extend_from_slice(&moved);
        start
    }

    fn begin_next_part(&mut self) {
        self.part += 1;
        self.start = self.out.len();
        self.end = self.start + self.format.max_line_bytes - CLOSING;
        self.out.extend_from_within(self.head.clone());
    }

    fn write_part(&mut self) {
        self.out.extend_from_slice(b",\"part\":");
        number::write_u64(self.out, self.part.into());
    }
}
