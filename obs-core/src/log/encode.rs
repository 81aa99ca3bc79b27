use std::error::Error;
use std::fmt::{self, Write as _};

use super::{Value, escape, number};

/// A borrowed value of a field.
///
/// What [`Line::field`](super::Line::field) takes; a [`Value`] converts into it.
///
/// ```
/// use obs_core::log::{Fields, ValueRef};
///
/// let mut fields = Fields::default();
/// fields.set("total", 12.5);
/// fields.set("size", ValueRef::Format(format_args!("{}x{}", 3, 4)));
/// fields.set("coupon", ValueRef::Null);
/// assert_eq!(fields.as_json(), br#","total":12.5,"size":"3x4","coupon":null"#);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum ValueRef<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A signed integer.
    I64(i64),
    /// An unsigned integer.
    U64(u64),
    /// A wide signed integer; text when it does not fit 64 bits.
    I128(i128),
    /// A wide unsigned integer; text when it does not fit 64 bits.
    U128(u128),
    /// A floating-point number; `null` when it is not finite.
    F64(f64),
    /// Text.
    Str(&'a str),
    /// Text that the program itself chose, such as the name of an outcome: it is escaped as any
    /// other, but not searched for what looks like a secret.
    Own(&'a str),
    /// Text as it came from outside; what is not UTF-8 in it is replaced.
    Bytes(&'a [u8]),
    /// A number of thousandths, such as milliseconds that are known in microseconds: written as an
    /// `F64` of the same value, at less cost.
    Thousandths(u64),
    /// Formatted text, such as `format_args!("{x:?}")`.
    Format(fmt::Arguments<'a>),
    /// An error and its causes, separated by `: `.
    Error(&'a (dyn Error + 'static)),
}

impl ValueRef<'_> {
    /// Whether it is written as text that somebody else chose.
    pub(super) const fn is_text(&self) -> bool {
        matches!(self, Self::Str(_) | Self::Bytes(_) | Self::Format(_) | Self::Error(_))
    }
}

impl<'a> From<&'a Value> for ValueRef<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::I64(value) => Self::I64(*value),
            Value::U64(value) => Self::U64(*value),
            Value::F64(value) => Self::F64(*value),
            Value::Static(value) => Self::Str(value),
            Value::Text(value) => Self::Str(value),
        }
    }
}

impl<'a> From<&'a str> for ValueRef<'a> {
    fn from(value: &'a str) -> Self {
        Self::Str(value)
    }
}

impl From<u64> for ValueRef<'_> {
    fn from(value: u64) -> Self {
        Self::U64(value)
    }
}

impl From<f64> for ValueRef<'_> {
    fn from(value: f64) -> Self {
        Self::F64(value)
    }
}

impl From<bool> for ValueRef<'_> {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

/// Appends `value` as JSON, text cut so that at most `limit` bytes are appended; `false` when it
/// was cut. Numbers take at most 42 bytes whatever the limit.
// Each field passes here once; the call alone is a tenth of its cost.
#[inline(always)]
pub(super) fn value(out: &mut Vec<u8>, value: ValueRef<'_>, limit: usize) -> bool {
    match value {
        ValueRef::Null => out.extend_from_slice(b"null"),
        ValueRef::Bool(true) => out.extend_from_slice(b"true"),
        ValueRef::Bool(false) => out.extend_from_slice(b"false"),
        ValueRef::I64(value) => integer(out, value),
        ValueRef::U64(value) => number::write_u64(out, value),
        ValueRef::I128(value) => match i64::try_from(value) {
            Ok(value) => integer(out, value),
            Err(_) => quoted(out, |out| integer(out, value)),
        },
        ValueRef::U128(value) => match u64::try_from(value) {
            Ok(value) => integer(out, value),
            Err(_) => quoted(out, |out| integer(out, value)),
        },
        ValueRef::F64(value) => float(out, value),
        ValueRef::Str(text) | ValueRef::Own(text) => {
            return quoted(out, |out| escape::write(out, text, limit.saturating_sub(2)));
        }
        ValueRef::Bytes(bytes) => {
            return quoted(out, |out| escape::write_bytes(out, bytes, limit.saturating_sub(2)));
        }
        ValueRef::Thousandths(value) => number::write_thousandths(out, value),
        ValueRef::Format(arguments) => return format(out, arguments, limit),
        ValueRef::Error(error) => return format(out, format_args!("{}", Chain(error)), limit),
    }
    true
}

/// Appends a JSON string of formatted text; `false` when it was cut.
pub(super) fn format(out: &mut Vec<u8>, arguments: fmt::Arguments<'_>, limit: usize) -> bool {
    let limit = limit.saturating_sub(2);
    quoted(out, |out| match arguments.as_str() {
        Some(text) => escape::write(out, text, limit),
        None => {
            let mut writer = escape::Writer::new(out, limit);
            // Besides the limit, an error is a `Display` that gave up; what it wrote is kept.
            let _ = writer.write_fmt(arguments);
            writer.complete
        }
    })
}

pub(super) fn integer(out: &mut Vec<u8>, value: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

fn float(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        number::write_f64(out, value);
    } else {
        out.extend_from_slice(b"null");
    }
}

fn quoted<R>(out: &mut Vec<u8>, inside: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    out.push(b'"');
    let result = inside(out);
    out.push(b'"');
    result
}

struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Enough for honest chains, and an end for those that point at themselves.
        const MAX_CAUSES: usize = 16;
        write!(f, "{}", self.0)?;
        let mut error = self.0;
        for _ in 0..MAX_CAUSES {
            let Some(cause) = error.source() else { break };
            write!(f, ": {cause}")?;
            error = cause;
        }
        Ok(())
    }
}
