//! Text as JSON strings hold it, for lines and the metrics behind them.

use super::{escape, scan};

/// Whether text can stand in a JSON string as it is, and is ASCII: no quotes, backslashes or
/// control characters.
#[inline]
#[must_use]
pub fn is_clean(text: &str) -> bool {
    scan::is_clean(text.as_bytes())
}

/// Appends the inside of a JSON string: quotes, backslashes and control characters escaped, also
/// U+007F to U+009F, U+2028 and U+2029.
///
/// ```
/// let mut out = Vec::new();
/// obs_core::log::text::write_inside(&mut out, "say \"hi\"");
/// assert_eq!(out, br#"say \"hi\""#);
/// ```
#[inline]
pub fn write_inside(out: &mut Vec<u8>, text: &str) {
    escape::write(out, text, usize::MAX);
}
