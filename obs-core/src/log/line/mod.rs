mod parts;

use std::fmt;
use std::ops::Range;

use super::key::{self, Fingerprint, Keys};
use super::redact::{REDACTED_STRING, SHORTEST_SECRET};
use super::{
    FieldKey, Fields, Ids, LineFormat, LineHead, LineLevel, ValueRef, encode, escape, scan,
};
use crate::clock::Timestamp;
use crate::id::{SpanId, TraceId};

pub use parts::TailRoom;

/// Room for `,"part":4294967295,"truncated":true}` and a line feed.
const CLOSING: usize = 40;

/// The longest target, tenant and user, in bytes after escaping.
const MAX_ID_BYTES: usize = 256;

/// Writes one line: one JSON object and a line feed, each key once.
///
/// Of two fields with the same key the first stays. A line that would become longer than the
/// format allows goes on in a further line with the same head, and both carry `part`; text that
/// would not even fit a line of its own is cut, and the line carries `truncated`.
///
/// ```
/// use obs_core::clock::Timestamp;
/// use obs_core::log::{Line, LineFormat};
/// use tracing::Level;
///
/// let format = LineFormat::new("orders");
/// let time = Timestamp::from_unix_millis(1_767_225_600_250);
/// let mut buffer = Vec::new();
/// let mut line =
///     Line::begin(&mut buffer, &format, time, Level::INFO, format_args!("placed"), "shop::orders");
/// line.str("order", "o-17").u64("items", 3);
/// line.finish();
/// assert_eq!(
///     String::from_utf8(buffer).unwrap(),
///     concat!(
///         r#"{"timestamp":"2026-01-01T00:00:00.250Z","level":"INFO","message":"placed","#,
///         r#""target":"shop::orders","service":"orders","order":"o-17","items":3}"#, "\n",
///     ),
/// );
/// ```
#[derive(Debug)]
#[must_use = "a line that is not finished is no JSON"]
pub struct Line<'b> {
    out: &'b mut Vec<u8>,
    format: &'b LineFormat,
    /// What every part repeats.
    head: Range<usize>,
    /// Where the current part starts.
    start: usize,
    /// Where it must end, less what closes it.
    end: usize,
    keys: Keys,
    part: u32,
    truncated: bool,
}

impl<'b> Line<'b> {
    /// Appends the head of a line to `out`: timestamp, level, message, target and service.
    pub fn begin(
        out: &'b mut Vec<u8>,
        format: &'b LineFormat,
        timestamp: Timestamp,
        level: impl Into<LineLevel>,
        message: fmt::Arguments<'_>,
        target: &str,
    ) -> Self {
        let start = begin(out, timestamp, level.into());
        // Half for the message leaves room for the ids and at least one field.
        let message_start = out.len();
        let complete = encode::format(out, message, format.max_line_bytes / 2);
        format.redactor.scrub_string(out, message_start);
        out.extend_from_slice(b",\"target\":\"");
        escape::write(out, target, MAX_ID_BYTES);
        out.push(b'"');
        Self::after_target(out, format, start, complete)
    }

    /// As [`Line::begin`], for message and target that were known when the program was compiled.
    ///
    /// ```
    /// use obs_core::clock::Timestamp;
    /// use obs_core::log::{Line, LineFormat, LineHead, LineLevel};
    ///
    /// static READ: LineHead = LineHead::new("order read", "orders");
    ///
    /// let (mut out, format) = (Vec::new(), LineFormat::new("orders"));
    /// let at = Timestamp::from_unix_millis(0);
    /// let line = Line::begin_known(&mut out, &format, at, LineLevel::Info, &READ).finish();
    /// assert!(String::from_utf8_lossy(line).contains(r#""message":"order read""#));
    /// ```
    pub fn begin_known(
        out: &'b mut Vec<u8>,
        format: &'b LineFormat,
        timestamp: Timestamp,
        level: impl Into<LineLevel>,
        head: &LineHead,
    ) -> Self {
        let start = begin(out, timestamp, level.into());
        head.append_to(out);
        Self::after_target(out, format, start, true)
    }

    #[inline]
    fn after_target(
        out: &'b mut Vec<u8>,
        format: &'b LineFormat,
        start: usize,
        complete: bool,
    ) -> Self {
        out.extend_from_slice(&format.service);
        let head = start..out.len();
        let end = start + format.max_line_bytes - CLOSING;
        let keys = Keys::default();
        Self { out, format, head, start, end, keys, part: 1, truncated: !complete }
    }

    /// Writes the ids; they belong before the first field.
    pub fn ids(&mut self, ids: &Ids<'_>) -> &mut Self {
        if let Some(id) = ids.correlation_id {
            self.id(b",\"correlation_id\":\"", id.as_bytes());
        }
        match (ids.trace_id, ids.span_id) {
            (Some(trace), Some(span)) => self.out.extend_from_slice(&trace_members(trace, span)),
            (Some(trace), None) => {
                self.id(b",\"trace_id\":\"", trace.to_hex().as_bytes());
                self.id(b",\"xray_trace_id\":\"", trace.to_xray().as_bytes());
            }
            (None, Some(span)) => self.id(b",\"span_id\":\"", span.to_hex().as_bytes()),
            (None, None) => {}
        }
        for (member, id) in
            [(&b",\"tenant_id\":\""[..], ids.tenant_id), (b",\"user_id\":\"", ids.user_id)]
        {
            if let Some(id) = id {
                self.out.extend_from_slice(member);
                escape::write(self.out, id, MAX_ID_BYTES);
                self.out.push(b'"');
            }
        }
        if self.part == 1 {
            self.head.end = self.out.len();
        }
        self
    }

    fn id(&mut self, member: &[u8], id: &[u8]) {
        self.out.extend_from_slice(member);
        self.out.extend_from_slice(id);
        self.out.push(b'"');
    }

    /// Writes a field of any kind.
    ///
    /// ```
    /// use obs_core::clock::Timestamp;
    /// use obs_core::log::{FieldKey, Fields, Ids, Line, LineFormat, LineLevel, ValueRef};
    ///
    /// static CHANNEL: FieldKey = FieldKey::new("channel");
    ///
    /// let (mut out, format) = (Vec::new(), LineFormat::new("orders"));
    /// let at = Timestamp::from_unix_millis(0);
    /// let mut line = Line::begin(&mut out, &format, at, LineLevel::Info, format_args!("done"), "orders");
    /// line.ids(&Ids::default())
    ///     .field("coupon", ValueRef::Null)
    ///     .known(&CHANNEL, "web")
    ///     .display("size", format_args!("{}x{}", 3, 4))
    ///     .i64("change", -2)
    ///     .f64("total", 12.5)
    ///     .bool("gift", false)
    ///     .fields(&Fields::default());
    /// let line = line.finish_with(|tail| tail.extend_from_slice(br#","Placed":1"#));
    /// assert!(line.ends_with(b",\"gift\":false,\"Placed\":1}\n"));
    /// ```
    pub fn field(&mut self, key: &str, value: ValueRef<'_>) -> &mut Self {
        let start = self.out.len();
        let key_length = key::write(self.out, key);
        let (before, field) = self.out.split_at(start);
        let key = &field[2..2 + key_length];
        let fingerprint = Fingerprint::of(key);
        if self.keys.contain(before, key, fingerprint) {
            self.out.truncate(start);
            return self;
        }
        let hidden = self.format.redactor.hides_bytes(key);
        self.value(start, value, hidden);
        self.keep(start, fingerprint);
        self
    }

    /// Writes a field whose key was known when the program was compiled.
    // As the kind of the value mostly is, too: what is inlined is the encoding of that kind alone.
    #[inline(always)]
    pub fn known<'v>(&mut self, key: &FieldKey, value: impl Into<ValueRef<'v>>) -> &mut Self {
        if !self.keys.contain(self.out, key.as_bytes(), key.fingerprint()) {
            let start = self.out.len();
            key.append_to(self.out);
            let hidden = self.format.redactor.hides_ending(key.ending(), key.as_bytes());
            self.value(start, value.into(), hidden);
            self.keep(start, key.fingerprint());
        }
        self
    }

    /// Writes the value of the field that starts at `start`, whose key is written.
    #[inline(always)]
    fn value(&mut self, start: usize, value: ValueRef<'_>, hidden: bool) {
        if hidden {
            self.out.extend_from_slice(REDACTED_STRING);
            return;
        }
        let value_start = self.out.len();
        let taken = self.head.len() + CLOSING + (value_start - start);
        let room = self.format.max_line_bytes.saturating_sub(taken);
        if let ValueRef::Str(text) = value
            && text.len() < SHORTEST_SECRET
            && text.len() + 2 <= room
            && scan::is_plain(text.as_bytes())
        {
            // As most text is: nothing to escape, nothing to hide, nothing to cut.
            self.out.push(b'"');
            self.out.extend_from_slice(text.as_bytes());
            self.out.push(b'"');
            return;
        }
        self.truncated |= !encode::value(self.out, value, room);
        if value.is_text() {
            self.format.redactor.scrub_string(self.out, value_start);
        }
    }

    /// Writes text.
    pub fn str(&mut self, key: &str, value: &str) -> &mut Self {
        self.field(key, ValueRef::Str(value))
    }

    /// Writes formatted text, such as `format_args!("{error}")`.
    pub fn display(&mut self, key: &str, value: fmt::Arguments<'_>) -> &mut Self {
        self.field(key, ValueRef::Format(value))
    }

    /// Writes an unsigned integer.
    pub fn u64(&mut self, key: &str, value: u64) -> &mut Self {
        self.field(key, ValueRef::U64(value))
    }

    /// Writes a signed integer.
    pub fn i64(&mut self, key: &str, value: i64) -> &mut Self {
        self.field(key, ValueRef::I64(value))
    }

    /// Writes a number; `null` when it is not finite.
    pub fn f64(&mut self, key: &str, value: f64) -> &mut Self {
        self.field(key, ValueRef::F64(value))
    }

    /// Writes `true` or `false`.
    pub fn bool(&mut self, key: &str, value: bool) -> &mut Self {
        self.field(key, ValueRef::Bool(value))
    }

    /// Writes fields that are encoded already, except those whose keys are there.
    pub fn fields(&mut self, fields: &Fields) -> &mut Self {
        for (field, key_length) in fields.iter() {
            let key = &field[2..2 + key_length];
            let fingerprint = Fingerprint::of(key);
            if !self.keys.contain(self.out, key, fingerprint) {
                let start = self.out.len();
                self.extend_with_field(field, key_length);
                self.keep(start, fingerprint);
            }
        }
        self
    }

    /// Appends an encoded field, its text cut if it would not fit a part of its own.
    fn extend_with_field(&mut self, field: &[u8], key_length: usize) {
        let redactor = &*self.format.redactor;
        // A comma, the key in its quotes and a colon come before the value.
        let (key, value) = field.split_at(key_length + 4);
        if redactor.hides_bytes(&key[2..2 + key_length]) {
            self.out.extend_from_slice(key);
            self.out.extend_from_slice(REDACTED_STRING);
            return;
        }
        let value_start = self.out.len() + key.len();
        self.extend_within_room(field);
        if value.first() == Some(&b'"') {
            redactor.scrub_string(self.out, value_start);
        }
    }

    fn extend_within_room(&mut self, field: &[u8]) {
        let room = self.format.max_line_bytes.saturating_sub(self.head.len() + CLOSING);
        if field.len() <= room {
            self.out.extend_from_slice(field);
        } else {
            // Only text is ever that long, so the last byte is its closing quote.
            self.truncated = true;
            self.out.extend_from_slice(&field[..escape::cut(field, room - 1)]);
            self.out.push(b'"');
        }
    }

    /// Ends the line and returns it, with all its parts.
    pub fn finish(self) -> &'b [u8] {
        self.finish_with(|_| {})
    }

    /// Ends the line with what `tail` appends: `_aws` and the `PascalCase` members after it, each
    /// with a comma before it. Returns the line, with all its parts.
    ///
    /// The tail is never cut, since half an EMF document is none: a tail that does not fit after
    /// the fields goes into a part of its own, even when that is longer than the limit.
    pub fn finish_with(self, tail: impl FnOnce(&mut Vec<u8>)) -> &'b [u8] {
        let mut tail = Some(tail);
        self.finish_with_tails(|out, _| {
            if let Some(tail) = tail.take() {
                tail(out);
            }
            false
        })
    }

    /// Keeps the field that starts at `start`, in this part or in the next.
    #[inline]
    fn keep(&mut self, mut start: usize, fingerprint: Fingerprint) {
        if self.is_too_long() {
            start = self.continue_in_next_part(start);
        }
        self.keys.push(start + 2, fingerprint);
    }
}

/// Writes what stands before the message and says where that begins.
#[inline]
fn begin(out: &mut Vec<u8>, timestamp: Timestamp, level: LineLevel) -> usize {
    let start = out.len();
    out.extend_from_slice(b"{\"timestamp\":\"");
    timestamp.write_rfc3339(out);
    out.extend_from_slice(level.member());
    start
}

/// `trace_id`, `span_id` and `xray_trace_id`, put together once instead of in nine pieces.
fn trace_members(trace: TraceId, span: SpanId) -> [u8; 129] {
    let mut text = *b",\"trace_id\":\"0123456789abcdef0123456789abcdef\",\"span_id\":\"\
        0123456789abcdef\",\"xray_trace_id\":\"1-01234567-0123456789abcdef01234567\"";
    let trace = trace.to_hex();
    text[13..45].copy_from_slice(trace.as_bytes());
    text[58..74].copy_from_slice(span.to_hex().as_bytes());
    text[95..103].copy_from_slice(&trace.as_bytes()[..8]);
    text[104..128].copy_from_slice(&trace.as_bytes()[8..]);
    text
}
