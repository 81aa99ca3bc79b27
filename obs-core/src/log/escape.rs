use std::fmt;

use super::scan;

/// Bytes that may begin something JSON must not, or a terminal should not, see as it is.
static SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        special[byte] = true;
        byte += 1;
    }
    special[b'"' as usize] = true;
    special[b'\\' as usize] = true;
    special[0x7f] = true;
    // First bytes of the C1 controls (U+0080 to U+009F) and of U+2028 and U+2029.
    special[0xc2] = true;
    special[0xe2] = true;
    special
};

/// Appends the inside of a JSON string: quotes, backslashes and every control character are
/// escaped, U+007F to U+009F, U+2028 and U+2029 too. At most `limit` bytes are appended, cut
/// between characters; `false` when the text was cut.
#[inline]
pub(super) fn write(out: &mut Vec<u8>, text: &str, limit: usize) -> bool {
    if text.len() <= limit && scan::is_clean(text.as_bytes()) {
        out.extend_from_slice(text.as_bytes());
        return true;
    }
    write_escaped(out, text, limit)
}

/// As [`write`], for bytes that should be text; what is not UTF-8 in them is replaced.
#[inline]
pub(super) fn write_bytes(out: &mut Vec<u8>, bytes: &[u8], limit: usize) -> bool {
    if bytes.len() <= limit && scan::is_clean(bytes) {
        out.extend_from_slice(bytes);
        return true;
    }
    write_escaped(out, &String::from_utf8_lossy(bytes), limit)
}

#[cold]
fn write_escaped(out: &mut Vec<u8>, text: &str, limit: usize) -> bool {
    if text.len().saturating_mul(6) > limit {
        return write_limited(out, text, limit);
    }
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|&byte| SPECIAL[usize::from(byte)]) {
        let (length, escaped) = unit(&rest[at..]);
        match escaped {
            Some(escaped) => {
                out.extend_from_slice(&rest[..at]);
                escaped.append_to(out);
            }
            None => out.extend_from_slice(&rest[..at + length]),
        }
        rest = &rest[at + length..];
    }
    out.extend_from_slice(rest);
    true
}

fn write_limited(out: &mut Vec<u8>, text: &str, limit: usize) -> bool {
    let end = out.len().saturating_add(limit);
    for (at, character) in text.char_indices() {
        let bytes = &text.as_bytes()[at..at + character.len_utf8()];
        match unit(bytes).1 {
            Some(escaped) if out.len() + escaped.len() <= end => escaped.append_to(out),
            None if out.len() + bytes.len() <= end => out.extend_from_slice(bytes),
            _ => return false,
        }
    }
    true
}

/// Where escaped text must be cut so that at most `limit` bytes of it stay.
pub(super) fn cut(escaped: &[u8], limit: usize) -> usize {
    let mut at = 0;
    loop {
        let length = match escaped.get(at) {
            Some(b'\\') if escaped.get(at + 1) == Some(&b'u') => 6,
            Some(b'\\') => 2,
            Some(0..=0x7f) => 1,
            Some(0..=0xdf) => 2,
            Some(0..=0xef) => 3,
            Some(_) => 4,
            None => return at,
        };
        if at + length > limit {
            return at;
        }
        at += length;
    }
}

/// The character at the start of `bytes`: its length, and how it is escaped if it must be.
fn unit(bytes: &[u8]) -> (usize, Option<Escaped>) {
    match *bytes {
        [b'"', ..] => (1, Some(Escaped::Short(b'"'))),
        [b'\\', ..] => (1, Some(Escaped::Short(b'\\'))),
        [b'\n', ..] => (1, Some(Escaped::Short(b'n'))),
        [b'\r', ..] => (1, Some(Escaped::Short(b'r'))),
        [b'\t', ..] => (1, Some(Escaped::Short(b't'))),
        [byte @ (..0x20 | 0x7f), ..] => (1, Some(Escaped::Unicode(u16::from(byte)))),
        [0xc2, second @ 0x80..=0x9f, ..] => (2, Some(Escaped::Unicode(u16::from(second)))),
        [0xe2, 0x80, third @ 0xa8..=0xa9, ..] => {
            (3, Some(Escaped::Unicode(0x2028 + u16::from(third - 0xa8))))
        }
        _ => (1, None),
    }
}

#[derive(Clone, Copy)]
enum Escaped {
    Short(u8),
    Unicode(u16),
}

impl Escaped {
    const fn len(self) -> usize {
        match self {
            Self::Short(_) => 2,
            Self::Unicode(_) => 6,
        }
    }

    fn append_to(self, out: &mut Vec<u8>) {
        match self {
            Self::Short(byte) => out.extend_from_slice(&[b'\\', byte]),
            Self::Unicode(code) => {
                let digit = |shift: u16| b"0123456789abcdef"[usize::from(code >> shift & 0xf)];
                out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
            }
        }
    }
}

/// A formatter's target that escapes, and stops taking text at its limit.
pub(super) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    end: usize,
    pub(super) complete: bool,
}

impl<'o> Writer<'o> {
    pub(super) fn new(out: &'o mut Vec<u8>, limit: usize) -> Self {
        let end = out.len().saturating_add(limit);
        Self { out, end, complete: true }
    }
}

impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.end.saturating_sub(self.out.len());
        self.complete = write(self.out, text, room);
        // The error ends a formatting that could go on for megabytes.
        if self.complete { Ok(()) } else { Err(fmt::Error) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = Vec::new();
        assert!(write(&mut out, text, usize::MAX));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn control_characters_of_every_kind_are_escaped() {
        assert_eq!(escaped("a\"b\\c\nd\re\tf"), r#"a\"b\\c\nd\re\tf"#);
        assert_eq!(escaped("\0\u{1b}[31m\u{7f}"), r"\u0000\u001b[31m\u007f");
        assert_eq!(escaped("\u{80}\u{9b}\u{a0}"), "\\u0080\\u009b\u{a0}");
        assert_eq!(escaped("\u{2027}\u{2028}\u{2029}\u{202a}"), "\u{2027}\\u2028\\u2029\u{202a}");
        assert_eq!(escaped("žluťoučký kůň 馬 🐎"), "žluťoučký kůň 馬 🐎");
    }

    proptest! {
        #[test]
        fn what_was_escaped_reads_back_and_holds_no_control_character(text in any::<String>()) {
            let json = format!("\"{}\"", escaped(&text));
            let raw = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
            prop_assert!(!json.chars().any(raw));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }

        #[test]
        fn a_cut_text_is_a_prefix_within_the_limit(text in any::<String>(), limit in 0_usize..60) {
            let mut out = Vec::new();
            let complete = write(&mut out, &text, limit);
            prop_assert!(out.len() <= limit);
            let json = format!("\"{}\"", String::from_utf8(out).unwrap());
            let read = serde_json::from_str::<String>(&json).unwrap();
            prop_assert!(text.starts_with(&read));
            prop_assert_eq!(complete, read == text);
        }
    }
}
