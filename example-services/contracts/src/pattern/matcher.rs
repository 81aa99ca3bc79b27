use std::net::IpAddr;

use serde_json::Value;

/// What a value is compared with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Matcher {
    Exactly(Value),
    Exists(bool),
    Numeric(Vec<(Comparison, f64)>),
    Cidr(IpAddr, u8),
    Text(Text),
    AnythingBut(Vec<Matcher>),
}

/// What a string is compared with.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Text {
    Prefix(String),
    Suffix(String),
    /// These are in lower case.
    PrefixIgnoringCase(String),
    SuffixIgnoringCase(String),
    IgnoringCase(String),
    /// The pieces between the stars.
    Wildcard(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Equal,
    GreaterOrEqual,
    Greater,
}

impl Matcher {
    pub(super) fn matches(&self, value: Option<&Value>) -> bool {
        match (self, value) {
            (Self::Exists(wanted), value) => *wanted == value.is_some(),
            (_, None) => false,
            (_, Some(Value::Array(elements))) => {
                elements.iter().any(|element| self.matches(Some(element)))
            }
            (Self::Exactly(wanted), Some(value)) => wanted == value,
            (Self::AnythingBut(unwanted), Some(value)) => {
                !value.is_object() && !unwanted.iter().any(|matcher| matcher.matches(Some(value)))
            }
            (Self::Numeric(range), Some(Value::Number(number))) => {
                let number = number.as_f64();
                number.is_some_and(|number| {
                    range.iter().all(|(how, bound)| how.holds(number, *bound))
                })
            }
            (Self::Cidr(block, bits), Some(Value::String(text))) => {
                text.parse().is_ok_and(|address| is_in(address, *block, *bits))
            }
            (Self::Text(text), Some(Value::String(value))) => text.matches(value),
            _ => false,
        }
    }
}

impl Comparison {
    #[allow(clippy::float_cmp, reason = "the pattern asks for equality")]
    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            Self::Less => number < bound,
            Self::LessOrEqual => number <= bound,
            Self::Equal => number == bound,
            Self::GreaterOrEqual => number >= bound,
            Self::Greater => number > bound,
        }
    }
}

impl Text {
    fn matches(&self, value: &str) -> bool {
        match self {
            Self::Prefix(text) => value.starts_with(text),
            Self::Suffix(text) => value.ends_with(text),
            Self::PrefixIgnoringCase(text) => value.to_lowercase().starts_with(text),
            Self::SuffixIgnoringCase(text) => value.to_lowercase().ends_with(text),
            Self::IgnoringCase(text) => value.to_lowercase() == *text,
            Self::Wildcard(pieces) => wildcard(pieces, value),
        }
    }
}

/// Whether `value` is made of `pieces` with anything between them.
fn wildcard(pieces: &[String], value: &str) -> bool {
    let [first, middle @ .., last] = pieces else {
        return pieces.first().is_some_and(|only| only == value);
    };
    let Some(mut rest) = value.strip_prefix(first.as_str()) else { return false };
    for piece in middle {
        // The earliest place leaves the most for what follows.
        let Some(at) = rest.find(piece.as_str()) else { return false };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last.as_str())
}

fn is_in(address: IpAddr, block: IpAddr, bits: u8) -> bool {
    let (address, block, width) = match (address, block) {
        (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits().into(), other.to_bits().into(), 32),
        (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits(), other.to_bits(), 128),
        _ => return false,
    };
    let differing: u128 = address ^ block;
    differing.checked_shr(width - u32::from(bits)).unwrap_or_default() == 0
}
