//! What secrets look like.

use std::ops::Range;

use crate::log::scan;

/// The digits of the shortest card number.
const SHORTEST_CARD: usize = 13;

/// A word of at least this length and one of [`TOKEN_PREFIXES`] is a token.
const SHORTEST_TOKEN: usize = 16;

/// How tokens begin: JSON web tokens, AWS access key ids, GitHub, GitLab, Slack, Stripe.
const TOKEN_PREFIXES: [&[u8]; 13] = [
    b"eyJ",
    b"AKIA",
    b"ASIA",
    b"ghp_",
    b"gho_",
    b"ghs_",
    b"github_pat_",
    b"glpat-",
    b"xoxb-",
    b"xoxp-",
    b"sk_live_",
    b"rk_live_",
    b"whsec_",
];

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Patterns {
    pub(super) cards: bool,
    pub(super) tokens: bool,
    pub(super) emails: bool,
}

/// Something to hide, and what to put in its place, which is never longer.
type Finding = (Range<usize>, &'static [u8]);

impl Patterns {
    pub(super) const fn all() -> Self {
        Self { cards: true, tokens: true, emails: true }
    }

    /// A quick look: `false` is certain.
    #[inline]
    pub(super) fn may_match(self, text: &[u8]) -> bool {
        self.emails && scan::contains(text, b'@')
            || self.tokens
                && any_run::<SHORTEST_TOKEN>(text, |byte| OF_TOKEN[usize::from(byte)], holds_token)
            || self.cards && any_run::<SHORTEST_CARD>(text, is_of_card, has_many_digits)
    }

    #[cold]
    pub(super) fn scrub(self, out: &mut Vec<u8>, start: usize) {
        let mut at = start;
        while let Some((range, mark)) = self.first(&out[at..]) {
            let range = at + range.start..at + range.end;
            at = range.start + mark.len();
            out.splice(range, mark.iter().copied());
        }
    }

    fn first(self, text: &[u8]) -> Option<Finding> {
        let mut at = 0;
        while at < text.len() {
            if text[at] == b'\\' {
                // An escape ends a word; its letter does not begin one.
                at += if text.get(at + 1) == Some(&b'u') { 6 } else { 2 };
                continue;
            }
            let starts_word = at == 0 || !is_word(text[at - 1]) || ends_escape(text, at);
            let found = None
                .or_else(|| {
                    if self.cards && text[at].is_ascii_digit() { card(text, at) } else { None }
                })
                .or_else(|| if self.tokens && starts_word { token(text, at) } else { None })
                .or_else(|| if self.emails && text[at] == b'@' { email(text, at) } else { None });
            if found.is_some() {
                return found;
            }
            at += 1;
        }
        None
    }
}

/// Whether the bytes before `at` are an escape such as `\n`.
fn ends_escape(text: &[u8], at: usize) -> bool {
    at >= 2 && text[at - 2] == b'\\' || at >= 6 && text[at - 6..].starts_with(b"\\u")
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

const fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'+' | b'/' | b'=' | b'~')
}

/// The same, to be looked up.
static OF_TOKEN: [bool; 256] = {
    let mut of_token = [false; 256];
    let mut byte = 0;
    while byte < of_token.len() {
        of_token[byte] = is_of_token(byte as u8);
        byte += 1;
    }
    of_token
};

const fn is_of_card(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b' ' | b'-')
}

/// Whether `test` holds for any run of at least `LEAST` bytes that are `among` a class; it is given
/// the text up to the end of the run, and where the run begins.
///
/// Every run that long covers one of the bytes that are `LEAST` apart, so that only around those
/// that are of the class the others are looked at.
#[inline]
fn any_run<const LEAST: usize>(
    text: &[u8],
    among: impl Fn(u8) -> bool,
    test: impl Fn(&[u8], usize) -> bool,
) -> bool {
    let mut at = LEAST - 1;
    while let Some(&byte) = text.get(at) {
        if among(byte) {
            let before = text[..at].iter().rev().take_while(|&&byte| among(byte)).count();
            let behind = text[at..].iter().take_while(|&&byte| among(byte)).count();
            let (start, end) = (at - before, at + behind);
            if end - start >= LEAST && test(&text[..end], start) {
                return true;
            }
            at = end;
        }
        at += LEAST;
    }
    false
}

/// Whether a token may begin in the word that starts at `start` and ends the text.
fn holds_token(text: &[u8], start: usize) -> bool {
    let places = start..=text.len() - SHORTEST_TOKEN;
    follows_scheme(&text[..start]) || places.into_iter().any(|at| has_prefix(&text[at..]))
}

/// The first bytes of [`TOKEN_PREFIXES`], one bit each.
const FIRST_BYTES: u128 = {
    let (mut bytes, mut at) = (0, 0);
    while at < TOKEN_PREFIXES.len() {
        bytes |= 1_u128 << TOKEN_PREFIXES[at][0];
        at += 1;
    }
    bytes
};

#[inline]
fn has_prefix(word: &[u8]) -> bool {
    word.first().is_some_and(|first| FIRST_BYTES >> (first & 0x7f) & 1 == 1)
        && TOKEN_PREFIXES.iter().any(|prefix| word.starts_with(prefix))
}

/// Whether the last word is the name of a scheme that a token follows.
fn follows_scheme(before: &[u8]) -> bool {
    let Some(before) = before.strip_suffix(b" ") else { return false };
    let ends_with = |scheme: &[u8]| {
        let start = before.len().checked_sub(scheme.len());
        start.is_some_and(|start| before[start..].eq_ignore_ascii_case(scheme))
    };
    ends_with(b"bearer") || ends_with(b"basic")
}

/// Whether the run of digits, blanks and hyphens that starts at `start` and ends the text has as
/// many digits as a card number.
fn has_many_digits(text: &[u8], start: usize) -> bool {
    text[start..].iter().filter(|byte| byte.is_ascii_digit()).count() >= SHORTEST_CARD
}

fn token(text: &[u8], at: usize) -> Option<Finding> {
    const MARK: &[u8] = b"[token]";
    let rest = &text[at..];
    let length_from = |from: usize| {
        rest.get(from..).map_or(0, |rest| rest.iter().take_while(|&&b| is_of_token(b)).count())
    };
    for scheme in [&b"bearer "[..], b"basic "] {
        let begins = rest.get(..scheme.len()).is_some_and(|word| word.eq_ignore_ascii_case(scheme));
        if begins {
            let length = length_from(scheme.len());
            // Shorter words follow in prose: a bearer of news.
            if length >= SHORTEST_TOKEN {
                let start = at + scheme.len();
                return Some((start..start + length, MARK));
            }
        }
    }
    let length = length_from(0);
    (length >= SHORTEST_TOKEN && has_prefix(rest)).then(|| (at..at + length, MARK))
}

fn email(text: &[u8], at: usize) -> Option<Finding> {
    let of_local = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte);
    let of_domain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-".contains(byte);
    let mut start = at - text[..at].iter().rev().take_while(|byte| of_local(byte)).count();
    let backslashes = text[..start].iter().rev().take_while(|&&byte| byte == b'\\').count();
    if backslashes % 2 == 1 {
        // What an escape is made of is no part of the name.
        start = at.min(start + if text[start] == b'u' { 5 } else { 1 });
    }
    let mut end = at + 1 + text[at + 1..].iter().take_while(|byte| of_domain(byte)).count();
    while text[..end].ends_with(b".") {
        end -= 1;
    }
    let domain = text.get(at + 1..end)?;
    let dot = domain.iter().rposition(|&byte| byte == b'.')?;
    (start < at && dot > 0 && domain.len() - dot > 2).then_some((start..end, b"[mail]"))
}

fn card(text: &[u8], at: usize) -> Option<Finding> {
    // Only from the first digit of a run.
    if at > 0 && text[at - 1].is_ascii_digit() && !ends_escape(text, at) {
        return None;
    }
    let mut digits = [0_u8; 20];
    let mut count = 0;
    let mut end = at;
    for (offset, &byte) in text[at..].iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                *digits.get_mut(count)? = byte - b'0';
                count += 1;
                end = at + offset + 1;
            }
            b' ' | b'-' if end == at + offset => {}
            _ => break,
        }
    }
    let digits = &digits[..count];
    let is_number = has_issuer(digits) && luhn(digits);
    (is_number && !is_within_uuid(text, at..end)).then_some((at..end, b"[card]"))
}

/// Whether `found` is a part of a UUID, of whose digits a few in a thousand look like a card number.
fn is_within_uuid(text: &[u8], found: Range<usize>) -> bool {
    const LENGTH: usize = 36;
    let first = found.end.saturating_sub(LENGTH);
    (first..=found.start).filter_map(|start| text.get(start..start + LENGTH)).any(|text| {
        text.iter().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    })
}

/// The first digits of the large issuers and the lengths they use
/// ([overview](https://en.wikipedia.org/wiki/Payment_card_number#Issuer_identification_number_(IIN))).
fn has_issuer(digits: &[u8]) -> bool {
    match digits {
        [4, ..] => matches!(digits.len(), 13 | 16 | 19),
        [5, 1..=5, ..] | [2, 2..=7, ..] => digits.len() == 16,
        [3, 4 | 7, ..] => digits.len() == 15,
        [3, 0 | 6 | 8, ..] => digits.len() == 14,
        [3, 5, ..] | [6, ..] => matches!(digits.len(), 16..=19),
        _ => false,
    }
}

fn luhn(digits: &[u8]) -> bool {
    let doubled = |digit: u8| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, &digit)| u32::from(if place % 2 == 1 { doubled(digit) } else { digit }))
        .sum();
    sum.is_multiple_of(10)
}
