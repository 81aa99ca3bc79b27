//! Text as JSON strings hold it, for lines and the metrics behind them.
//!
//! ```
//! use obs_core::log::text::{is_clean, write_inside};
//!
//! let mut out = Vec::new();
//! write_inside(&mut out, "two\nlines");
//! assert_eq!(out, br"two\nlines");
//! assert!(is_clean("one line"));
//! ```

use super::{escape, scan};

/// Whether text can stand in a JSON string as it is, and is ASCII: no quotes, backslashes or
/// control characters.
///
/// ```
/// use obs_core::log::text::is_clean;
///
/// assert!(is_clean("order read") && !is_clean("say \"hi\""));
/// ```
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
