//! Keeps what must not be in lines out of them.

mod headers;
mod pattern;
#[cfg(test)]
mod tests;

use std::fmt;

pub use headers::HeaderFields;
use pattern::Patterns;

use super::{key, scan};

/// What stands in place of the value of a redacted key.
pub(crate) const REDACTED: &str = "[redacted]";

/// The same as a line carries it.
pub(super) const REDACTED_STRING: &[u8] = b"\"[redacted]\"";

/// A shorter text is no card number, and neither a token: only mail addresses can hide in it.
pub(super) const SHORTEST_SECRET: usize = 13;

const DEFAULT_KEYS: [&str; 13] = [
    "password",
    "passwd",
    "secret",
    "token",
    "authorization",
    "cookie",
    "api_key",
    "access_key",
    "private_key",
    "credentials",
    "card_number",
    "cvv",
    "ssn",
];

/// Which values are hidden in lines and spans, by the key they stand under and by what they look like.
///
/// A key is hidden when it is on the list or ends in `_` and a key of the list; its value becomes
/// `[redacted]`, of whatever type. In every other text, the message too, card numbers become
/// `[card]`, tokens `[token]` and e-mail addresses `[mail]`. Numbers are not searched: an id with
/// sixteen digits is no card.
///
/// | pattern | found by |
/// |---|---|
/// | card numbers | the issuer's first digits, a length that issuer uses, the Luhn check; digits may be in groups |
/// | tokens | `Bearer` or `Basic` and what follows; `eyJ` (JSON web tokens), AWS access key ids, and the prefixes of GitHub, GitLab, Slack and Stripe |
/// | e-mail addresses | `local@domain.tld` |
///
/// ```
/// use obs_core::log::Redactor;
///
/// let redactor = Redactor::new().key("iban");
/// assert!(redactor.hides("customer_iban"));
/// assert_eq!(redactor.redact("mail a.b@example.com"), "mail [mail]");
/// assert_eq!(redactor.redact("card 4111 1111 1111 1111"), "card [card]");
/// ```
#[derive(Clone)]
pub struct Redactor {
    keys: Vec<Box<[u8]>>,
    endings: Endings,
    patterns: Patterns,
}

/// How the keys of the list end, one bit for each [`Ending`]: most keys of lines end differently,
/// which a single look finds out.
#[derive(Clone, Copy, Default)]
struct Endings([u64; Ending::COUNT / 64]);

/// A few bits that depend on the last three bytes of a key, or on those and `_` before a shorter one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ending(u16);

impl Ending {
    const COUNT: usize = 2048;

    #[inline]
    pub(super) const fn of(key: &[u8]) -> Self {
        match *key {
            [.., first, second, third] => Self::new(first, second, third),
            [second, third] => Self::new(b'_', second, third),
            [third] => Self::new(b'_', b'_', third),
            [] => Self::new(b'_', b'_', b'_'),
        }
    }

    #[inline]
    const fn new(first: u8, second: u8, third: u8) -> Self {
        let bytes = (first as u32) << 16 | (second as u32) << 8 | third as u32;
        Self((bytes.wrapping_mul(0x9e37_79b1) >> 21) as u16)
    }

    /// The word and the bit.
    #[inline]
    const fn place(self) -> (usize, u64) {
        ((self.0 / 64) as usize, 1 << (self.0 % 64))
    }
}

impl Endings {
    fn add(&mut self, key: &[u8]) {
        let mut set = |ending: Ending| {
            let (word, bit) = ending.place();
            self.0[word] |= bit;
        };
        set(Ending::of(key));
        // As the end of a longer key: an underscore stands before it, and before that anything.
        if let [only] = *key {
            (0..=u8::MAX).for_each(|first| set(Ending::new(first, b'_', only)));
        }
    }

    #[inline]
    fn may_hold(&self, ending: Ending) -> bool {
        let (word, bit) = ending.place();
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }
}

impl Default for Redactor {
    fn default() -> Self {
        Self::new()
    }
}

impl Redactor {
    /// Hides the usual keys (`password`, `passwd`, `secret`, `token`, `authorization`, `cookie`,
    /// `api_key`, `access_key`, `private_key`, `credentials`, `card_number`, `cvv`, `ssn`) and all
    /// patterns.
    #[must_use]
    pub fn new() -> Self {
        let this = Self { patterns: Patterns::all(), ..Self::none() };
        DEFAULT_KEYS.into_iter().fold(this, Self::key)
    }

    /// Hides nothing.
    #[must_use]
    pub fn none() -> Self {
        Self { keys: Vec::new(), endings: Endings::default(), patterns: Patterns::default() }
    }

    /// Adds a key, written as lines write it: in `snake_case`. Others have no effect.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        if !key.is_empty() {
            self.endings.add(key.as_bytes());
            self.keys.push(key.as_bytes().into());
        }
        self
    }

    /// Sets whether card numbers are hidden. Default `true` with [`Redactor::new`].
    #[must_use]
    pub fn card_numbers(mut self, hide: bool) -> Self {
        self.patterns.cards = hide;
        self
    }

    /// Sets whether tokens are hidden. Default `true` with [`Redactor::new`].
    #[must_use]
    pub fn tokens(mut self, hide: bool) -> Self {
        self.patterns.tokens = hide;
        self
    }

    /// Sets whether e-mail addresses are hidden. Default `true` with [`Redactor::new`].
    ///
    /// ```
    /// use obs_core::log::Redactor;
    ///
    /// let redactor = Redactor::none().emails(true).tokens(true).card_numbers(true);
    /// assert_ne!(redactor.redact("from ann@example.com"), "from ann@example.com");
    /// assert_eq!(Redactor::none().redact("from ann@example.com"), "from ann@example.com");
    /// ```
    #[must_use]
    pub fn emails(mut self, hide: bool) -> Self {
        self.patterns.emails = hide;
        self
    }

    /// Whether the value of `key` is hidden.
    ///
    /// Any spelling of a key counts as lines would write it: `X-Api-Key` as `x_api_key`.
    #[must_use]
    pub fn hides(&self, key: &str) -> bool {
        if scan::is_snake(key.as_bytes()) {
            return self.hides_bytes(key.as_bytes());
        }
        let mut member = Vec::new();
        let length = key::write(&mut member, key);
        self.hides_bytes(&member[2..2 + length])
    }

    #[inline]
    pub(super) fn hides_bytes(&self, key: &[u8]) -> bool {
        self.hides_ending(Ending::of(key), key)
    }

    /// As [`hides_bytes`](Self::hides_bytes), for a key whose ending is known.
    #[inline]
    pub(super) fn hides_ending(&self, ending: Ending, key: &[u8]) -> bool {
        self.endings.may_hold(ending) && self.is_listed(key)
    }

    #[cold]
    fn is_listed(&self, key: &[u8]) -> bool {
        self.keys.iter().any(|hidden| {
            key.strip_suffix(&**hidden).is_some_and(|before| matches!(before, [] | [.., b'_']))
        })
    }

    /// `text` without what the patterns hide.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        let mut out = text.as_bytes().to_vec();
        if self.patterns.may_match(&out) {
            self.patterns.scrub(&mut out, 0);
        }
        String::from_utf8(out).unwrap_or_else(|_| REDACTED.to_owned())
    }

    /// `text` without what the patterns hide; `None` when they hide nothing.
    pub(crate) fn scrubbed(&self, text: &str) -> Option<String> {
        if !self.patterns.may_match(text.as_bytes()) {
            return None;
        }
        Some(self.redact(text)).filter(|scrubbed| scrubbed != text)
    }

    /// Hides the patterns in the JSON string that starts at `start` and ends the buffer.
    #[inline]
    pub(super) fn scrub_string(&self, out: &mut Vec<u8>, start: usize) {
        let inside = out.get(start + 1..out.len().saturating_sub(1)).unwrap_or_default();
        if self.patterns.may_match(inside) {
            self.patterns.scrub(out, start + 1);
        }
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = self.keys.iter().map(|key| String::from_utf8_lossy(key));
        f.debug_struct("Redactor")
            .field("keys", &keys.collect::<Vec<_>>())
            .field("patterns", &self.patterns)
            .finish()
    }
}
