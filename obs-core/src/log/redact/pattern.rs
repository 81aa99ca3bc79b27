//! What secrets look like.

use std::ops::Range;

use crate::log::scan;

/// Shorter texts hold neither a card number nor a token.
const SHORTEST_SECRET: usize = 13;

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
            || text.len() >= SHORTEST_SECRET && self.may_hold_secret(text)
    }

    /// One pass over the text: a token needs a long word, a card number many digits with nothing
    /// but separators between them. The versions in a browser's user agent are no such run.
    fn may_hold_secret(self, text: &[u8]) -> bool {
        let (mut digits, mut most_digits) = (0_usize, 0_usize);
        let (mut word, mut longest) = (0_usize, 0_usize);
        for &byte in text {
            let kind = KIND[usize::from(byte)];
            let separates = matches!(byte, b' ' | b'-');
            digits = if separates { digits } else { (digits + 1) * usize::from(kind & DIGIT) };
            most_digits = most_digits.max(digits);
            word = if kind == 0 { 0 } else { word + 1 };
            longest = longest.max(word);
        }
        self.cards && most_digits >= SHORTEST_SECRET
            || self.tokens && longest >= SHORTEST_TOKEN && has_token_start(text)
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

const DIGIT: u8 = 1;
const OF_TOKEN: u8 = 2;

/// For each byte, whether it is a digit and whether it may stand in a token.
static KIND: [u8; 256] = {
    let mut kinds = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        kinds[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT | OF_TOKEN,
            b'A'..=b'Z' | b'a'..=b'z' => OF_TOKEN,
            b'_' | b'-' | b'.' | b'+' | b'/' | b'=' | b'~' => OF_TOKEN,
            _ => 0,
        };
        byte += 1;
    }
    kinds
};

fn has_token_start(text: &[u8]) -> bool {
    text.windows(4).any(|window| {
        matches!(
            window,
            [b'e', b'y', b'J', _]
                | b"AKIA"
                | b"ASIA"
                | b"ghp_"
                | b"gho_"
                | b"ghs_"
                | b"gith"
                | b"glpa"
                | b"xoxb"
                | b"xoxp"
                | b"sk_l"
                | b"rk_l"
                | b"whse"
        ) || matches!(window, [b'B' | b'b', b'e', b'a', b'r'] | [b'B' | b'b', b'a', b's', b'i'])
    })
}

fn token(text: &[u8], at: usize) -> Option<Finding> {
    const MARK: &[u8] = b"[token]";
    let rest = &text[at..];
    let length_from = |from: usize| {
        let of_token = |byte: &u8| KIND[usize::from(*byte)] != 0;
        rest.get(from..).map_or(0, |rest| rest.iter().take_while(|byte| of_token(byte)).count())
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
    let is_token =
        length >= SHORTEST_TOKEN && TOKEN_PREFIXES.iter().any(|prefix| rest.starts_with(prefix));
    is_token.then(|| (at..at + length, MARK))
}

fn email(text: &[u8], at: usize) -> Option<Finding> {
    let of_local = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+-".contains(byte);
    let of_domain = |byte: &u8| byte.is_ascii_alphanumeric() || b".-".contains(byte);
    let mut start = at - text[..at].iter().rev().take_while(|byte| of_local(byte)).count();
    if start < at && ends_escape(text, start + 1) {
        // The letter of an escape is no part of the name.
        start += 1;
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
    if at > 0 && text[at - 1].is_ascii_digit() {
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
    (has_issuer(digits) && luhn(digits)).then_some((at..end, b"[card]"))
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
