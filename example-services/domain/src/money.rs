//! Money in integer minor units.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::quantity::Quantity;

/// An ISO 4217 currency code: three upper-case letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// The euro.
    pub const EUR: Self = Self(*b"EUR");

    /// Reads a code.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        let code: [u8; 3] = code.as_bytes().try_into().ok()?;
        code.iter().all(u8::is_ascii_uppercase).then_some(Self(code))
    }

    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("XXX")
    }
}

impl TryFrom<String> for Currency {
    type Error = &'static str;

    fn try_from(code: String) -> Result<Self, Self::Error> {
        Self::parse(&code).ok_or("currency must be three upper-case letters")
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

/// An amount of money in minor units (cents) of one currency.
///
/// Arithmetic that would overflow or mix currencies yields `None`; nothing rounds.
///
/// ```
/// use shop_domain::money::{Currency, Money};
/// use shop_domain::quantity::Quantity;
///
/// let price = Money::new(1_250, Currency::EUR);
/// let total = price.times(Quantity::new(3).unwrap()).unwrap();
/// assert_eq!(total.to_string(), "37.50 EUR");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    minor: u64,
    currency: Currency,
}

impl Money {
    /// `minor` minor units of `currency`.
    #[must_use]
    pub const fn new(minor: u64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// The amount in minor units.
    #[must_use]
    pub const fn minor(self) -> u64 {
        self.minor
    }

    /// The currency.
    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// The price of `quantity` pieces.
    #[must_use]
    pub fn times(self, quantity: Quantity) -> Option<Self> {
        let minor = self.minor.checked_mul(u64::from(quantity.get()))?;
        Some(Self { minor, ..self })
    }

    /// The sum of two amounts of the same currency.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        let minor = self.minor.checked_add(other.minor)?;
        (self.currency == other.currency).then_some(Self { minor, ..self })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02} {}", self.minor / 100, self.minor % 100, self.currency.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_that_overflow_or_mix_currencies_do_not_add_up() {
        let euros = Money::new(u64::MAX, Currency::EUR);
        assert_eq!(euros.plus(Money::new(1, Currency::EUR)), None);
        assert_eq!(euros.times(Quantity::new(2).unwrap()), None);
        let francs = Money::new(1, Currency::parse("CHF").unwrap());
        assert_eq!(Money::new(1, Currency::EUR).plus(francs), None);
    }

    #[test]
    fn a_currency_is_three_upper_case_letters() {
        for code in ["", "EU", "eur", "EURO", "E1R", "€"] {
            assert_eq!(Currency::parse(code), None, "{code}");
        }
    }
}
