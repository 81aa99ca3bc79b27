use std::fmt;

use super::scan;

/// What lines of one sort say of themselves: message and target, checked and encoded when the
/// program is compiled.
///
/// ```
/// use obs_core::log::LineHead;
///
/// const COMPLETED: LineHead = LineHead::new("request completed", "shop::http");
/// assert_eq!(COMPLETED.target(), "shop::http");
/// ```
#[derive(Clone, Copy)]
pub struct LineHead {
    /// `"message","target":"target"` and what is left of the room.
    members: [u8; ROOM],
    length: u8,
    target: &'static str,
}

/// Copied whole, because a copy of a known length is no call.
const ROOM: usize = 64;

const BETWEEN: &[u8] = b"\",\"target\":\"";

impl LineHead {
    /// The longest message and target together, in bytes.
    pub const MAX_LENGTH: usize = ROOM - BETWEEN.len() - 2;

    /// The head of lines with this message and target.
    ///
    /// # Panics
    /// If the two are longer than [`MAX_LENGTH`](Self::MAX_LENGTH), or hold anything that JSON
    /// escapes. In a `const` or `static` that is an error of the compiler.
    #[must_use]
    pub const fn new(message: &str, target: &'static str) -> Self {
        assert!(
            message.len() + target.len() <= Self::MAX_LENGTH,
            "message and target are too long"
        );
        let (mut members, mut at) = ([b'"'; ROOM], 1);
        let parts = [message.as_bytes(), BETWEEN, target.as_bytes()];
        let mut part = 0;
        while part < parts.len() {
            let mut index = 0;
            while index < parts[part].len() {
                let byte = parts[part][index];
                assert!(part == 1 || scan::is_clean_byte(byte), "a line would escape this text");
                members[at] = byte;
                at += 1;
                index += 1;
            }
            part += 1;
        }
        Self { members, length: at as u8 + 1, target }
    }

    /// The target, by which lines are filtered.
    #[must_use]
    pub const fn target(&self) -> &'static str {
        self.target
    }

    /// Appends what stands between level and service.
    #[inline]
    pub(super) fn append_to(&self, out: &mut Vec<u8>) {
        let end = out.len() + usize::from(self.length);
        out.extend_from_slice(&self.members);
        out.truncate(end);
    }
}

impl fmt::Debug for LineHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = String::from_utf8_lossy(&self.members[..usize::from(self.length)]);
        f.debug_tuple("LineHead").field(&members).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use tracing::Level;

    use super::*;
    use crate::clock::Timestamp;
    use crate::log::{Line, LineFormat};

    #[test]
    fn a_known_head_is_written_as_any_other() {
        let (format, time) = (LineFormat::new("orders"), Timestamp::default());
        for (message, target) in [("", ""), ("request completed", "obs_tower::observe")] {
            let (mut known, mut other) = (Vec::new(), Vec::new());
            let head = LineHead::new(message, target);
            let text = format_args!("{message}");
            Line::begin_known(&mut known, &format, time, Level::WARN, &head).finish();
            Line::begin(&mut other, &format, time, Level::WARN, text, target).finish();
            assert_eq!(known, other);
        }
    }

    #[test]
    fn a_head_that_a_line_would_change_is_refused() {
        for (message, target) in [("a\"b", "app"), ("done", "a\nb"), ("é", "app")] {
            assert!(catch_unwind(|| LineHead::new(message, target)).is_err(), "{message}");
        }
        let long = "x".repeat(LineHead::MAX_LENGTH);
        assert!(catch_unwind(|| LineHead::new(&long, "")).is_ok());
        assert!(catch_unwind(|| LineHead::new(&long, "y")).is_err());
    }
}
