//! How many of a product.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many pieces of one product an order line or a cart item asks for.
///
/// At least 1, at most [`Quantity::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "u32")]
pub struct Quantity(u32);

impl Quantity {
    /// The most pieces one line may ask for: 1,000.
    pub const MAX: u32 = 1_000;

    /// Checks a quantity.
    ///
    /// # Errors
    /// [`InvalidQuantity`] for less than 1 or more than [`Quantity::MAX`].
    pub fn new(pieces: i64) -> Result<Self, InvalidQuantity> {
        match u32::try_from(pieces) {
            Ok(pieces @ 1..=Self::MAX) => Ok(Self(pieces)),
            _ => Err(InvalidQuantity),
        }
    }

    /// The number of pieces.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The sum, if it is still a quantity.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        Self::new(i64::from(self.0) + i64::from(other.0)).ok()
    }
}

impl TryFrom<i64> for Quantity {
    type Error = InvalidQuantity;

    fn try_from(pieces: i64) -> Result<Self, InvalidQuantity> {
        Self::new(pieces)
    }
}

impl From<Quantity> for u32 {
    fn from(quantity: Quantity) -> Self {
        quantity.0
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A number of pieces that cannot be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidQuantity;

impl fmt::Display for InvalidQuantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "quantity must be a whole number from 1 to {}", Quantity::MAX)
    }
}

impl std::error::Error for InvalidQuantity {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn zero_negative_and_huge_quantities_are_refused() {
        for text in ["0", "-1", "1001", "1000000000000", "1e12", "1.5", "\"1\"", "null"] {
            assert!(serde_json::from_str::<Quantity>(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_quantity_survives_its_document(pieces in 1..=i64::from(Quantity::MAX)) {
            let quantity = Quantity::new(pieces).unwrap();
            let text = serde_json::to_string(&quantity).unwrap();
            prop_assert_eq!(serde_json::from_str::<Quantity>(&text).unwrap(), quantity);
        }
    }
}
