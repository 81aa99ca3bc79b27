//! What a customer trusts us with. No type tells its content to a formatter, and what is
//! wrong with one is told without repeating it.

use std::fmt;

use serde::Deserialize;

/// The number of a payment card: 12 to 19 digits with a right check digit.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "CardDocument")]
pub(crate) struct Card(String);

/// Not a number but an object, so that expiry and the like can be added.
#[derive(Deserialize)]
struct CardDocument {
    #[serde(deserialize_with = "unquoted")]
    number: String,
}

/// An e-mail address, checked as far as that is possible without sending to it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Unquoted")]
pub(crate) struct Email(String);

/// The number of a telephone as [E.164](https://www.itu.int/rec/T-REC-E.164) has it: a plus sign
/// and 8 to 15 digits.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Unquoted")]
pub(crate) struct Phone(String);

#[derive(Deserialize)]
struct Unquoted(#[serde(deserialize_with = "unquoted")] String);

/// Reads a text; an error does not quote what stands there instead.
fn unquoted<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match serde_json::Value::deserialize(deserializer) {
        Ok(serde_json::Value::String(text)) => Ok(text),
        _ => Err(serde::de::Error::custom("card.number, email and phone must be texts")),
    }
}

impl Card {
    /// The number; for the payment service alone.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl Email {
    /// The address; for the store alone.
    pub(crate) fn expose(self) -> String {
        self.0
    }
}

impl Phone {
    /// The number; for the store alone.
    pub(crate) fn expose(self) -> String {
        self.0
    }
}

impl TryFrom<CardDocument> for Card {
    type Error = &'static str;

    fn try_from(document: CardDocument) -> Result<Self, Self::Error> {
        let number: String =
            document.number.chars().filter(|char| !matches!(char, ' ' | '-')).collect();
        let is_number =
            (12..=19).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
        if is_number && has_check_digit(number.as_bytes()) {
            Ok(Self(number))
        } else {
            Err("card.number must be 12 to 19 digits with a right check digit")
        }
    }
}

/// Luhn's check, ISO/IEC 7812-1 annex B.
fn has_check_digit(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .map(|byte| u32::from(byte - b'0'))
        .enumerate()
        .map(|(place, digit)| match (place % 2, digit * 2) {
            (0, _) => digit,
            (_, double) => double / 10 + double % 10,
        })
        .sum();
    sum.is_multiple_of(10)
}

impl TryFrom<Unquoted> for Email {
    type Error = &'static str;

    fn try_from(Unquoted(text): Unquoted) -> Result<Self, Self::Error> {
        let well_formed = text.len() <= 254
            && text.bytes().all(|byte| byte.is_ascii_graphic())
            && text.split_once('@').is_some_and(|(name, domain)| {
                !name.is_empty() && !domain.contains('@') && domain.contains('.')
            });
        if well_formed { Ok(Self(text)) } else { Err("email must be an e-mail address") }
    }
}

impl TryFrom<Unquoted> for Phone {
    type Error = &'static str;

    fn try_from(Unquoted(text): Unquoted) -> Result<Self, Self::Error> {
        let number: String =
            text.chars().filter(|char| !matches!(char, ' ' | '-' | '(' | ')')).collect();
        let is_number = number.strip_prefix('+').is_some_and(|digits| {
            (8..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        });
        if is_number {
            Ok(Self(number))
        } else {
            Err("phone must be a plus sign and 8 to 15 digits")
        }
    }
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Card(…)")
    }
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_needs_a_right_check_digit() {
        let card = |number: &str| {
            serde_json::from_value::<Card>(serde_json::json!({"number": number})).is_ok()
        };
        assert!(card("4242424242424242") && card("4000 0000 0000 0002"));
        for number in ["4242424242424241", "4242", "", "42424242424242424242", "4242x24242424242"] {
            assert!(!card(number), "{number}");
        }
    }

    #[test]
    fn an_address_has_a_name_and_a_domain() {
        let email = |text: &str| serde_json::from_value::<Email>(text.into()).is_ok();
        assert!(email("ada@example.com"));
        for text in ["ada", "@example.com", "ada@example", "a@b@c.d", "a b@c.d", "a\n@b.c"] {
            assert!(!email(text), "{text:?}");
        }
    }

    #[test]
    fn a_telephone_number_is_international() {
        let phone = |text: &str| serde_json::from_value::<Phone>(text.into()).ok();
        assert_eq!(phone("+49 (30) 1234-567").unwrap().expose(), "+49301234567");
        for text in ["", "030 1234567", "+1234567", "+1234567890123456", "+49 30 123456a"] {
            assert!(phone(text).is_none(), "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_repeating_it() {
        for text in [
            r#"{"number":"4242424242424241"}"#,
            r#"{"number":4242424242424242}"#,
            r#"{"number":["4242424242424242"]}"#,
        ] {
            let error = serde_json::from_str::<Card>(text).unwrap_err().to_string();
            assert!(!error.contains("4242"), "{error}");
        }
        let error = serde_json::from_str::<Email>("\"secret-name\"").unwrap_err().to_string();
        assert!(!error.contains("secret"), "{error}");
        let card: Card = serde_json::from_str(r#"{"number":"4242424242424242"}"#).unwrap();
        assert_eq!(format!("{card:?}"), "Card(…)");
    }
}
