//! What the café makes to order.

use serde::{Deserialize, Serialize};

use crate::id::ProductId;
use crate::money::{Currency, Money};

/// What a menu item is, without the version that the store counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Dish {
    /// Its name, 1 to [`Dish::LONGEST_NAME`] characters.
    pub name: String,
    /// Its part of the menu, such as `coffee`, 1 to [`Dish::LONGEST_NAME`] characters.
    pub category: String,
    /// The price of one piece, in minor units of `currency`; at most [`Dish::HIGHEST_PRICE`].
    pub price_minor: u64,
    /// The currency of the price.
    pub currency: Currency,
    /// Whether it can be ordered now.
    pub available: bool,
}

impl Dish {
    /// The most characters of a name or a category: 100.
    pub const LONGEST_NAME: usize = 100;
    /// The highest price, in minor units: 10^9.
    pub const HIGHEST_PRICE: u64 = 1_000_000_000;

    /// The price of one piece.
    #[must_use]
    pub const fn price(&self) -> Money {
        Money::new(self.price_minor, self.currency)
    }
}

/// A document before its rules are checked.
#[derive(Deserialize)]
struct Unchecked {
    name: String,
    category: String,
    price_minor: u64,
    currency: Currency,
    #[serde(default = "yes")]
    available: bool,
}

const fn yes() -> bool {
    true
}

impl TryFrom<Unchecked> for Dish {
    type Error = &'static str;

    fn try_from(unchecked: Unchecked) -> Result<Self, Self::Error> {
        let Unchecked { name, category, price_minor, currency, available } = unchecked;
        let fits = |text: &str| (1..=Self::LONGEST_NAME).contains(&text.chars().count());
        if !fits(&name) || !fits(&category) {
            return Err("name and category must have 1 to 100 characters");
        }
        if price_minor > Self::HIGHEST_PRICE {
            return Err("price_minor must be at most 1000000000");
        }
        Ok(Self { name, category, price_minor, currency, available })
    }
}

/// An item of the menu.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MenuItem {
    /// Its id.
    pub item_id: ProductId,
    /// What it is.
    #[serde(flatten)]
    pub dish: Dish,
    /// How often it has been written: 1 when it is new. Whoever changes an item names the version
    /// that was read, so that no change is lost.
    pub version: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dish_that_breaks_a_rule_is_refused() {
        let long = "x".repeat(Dish::LONGEST_NAME + 1);
        for (name, price) in
            [("", "1"), (long.as_str(), "1"), ("Latte", "1000000001"), ("Latte", "-1")]
        {
            let text = format!(
                r#"{{"name":"{name}","category":"coffee","price_minor":{price},"currency":"EUR"}}"#
            );
            assert!(serde_json::from_str::<Dish>(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_dish_can_be_ordered_unless_it_says_otherwise() {
        let text = r#"{"name":"Latte","category":"coffee","price_minor":350,"currency":"EUR"}"#;
        assert!(serde_json::from_str::<Dish>(text).unwrap().available);
    }
}
