//! Orders.

use serde::{Deserialize, Serialize};

use crate::id::{OrderId, ProductId, TenantId, UserId};
use crate::money::{Currency, Money};
use crate::quantity::Quantity;

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Being placed: its stock is not yet sure. Nobody has been promised anything.
    Reserving,
    /// Accepted: stored for good, its stock kept.
    Pending,
}

impl Status {
    /// The name in documents and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reserving => "RESERVING",
            Self::Pending => "PENDING",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Reserving, Self::Pending].into_iter().find(|status| status.as_str() == name)
    }
}

/// A line of an order, with the price at which it was placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Which product.
    pub product_id: ProductId,
    /// How many pieces.
    pub quantity: Quantity,
    /// The price of one piece, in minor units of the order's currency.
    pub unit_price_minor: u64,
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its id.
    pub order_id: OrderId,
    /// The tenant it was placed under.
    pub tenant_id: TenantId,
    /// Who placed it.
    pub user_id: UserId,
    /// Where it stands.
    pub status: Status,
    /// What was ordered, each product once.
    pub lines: Vec<Line>,
    /// The sum of all lines, in minor units of `currency`.
    pub total_minor: u64,
    /// The currency of all prices.
    pub currency: Currency,
    /// When it was placed, in milliseconds since 1970-01-01T00:00:00Z.
    pub created_at_ms: u64,
}

/// The sum of `lines` in `currency`; `None` if it overflows.
///
/// ```
/// use shop_domain::money::Currency;
/// use shop_domain::order::total;
///
/// assert_eq!(total(&[], Currency::EUR).unwrap().minor(), 0);
/// ```
#[must_use]
pub fn total(lines: &[Line], currency: Currency) -> Option<Money> {
    lines.iter().try_fold(Money::new(0, currency), |sum, line| {
        sum.plus(Money::new(line.unit_price_minor, currency).times(line.quantity)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(price: u64, quantity: i64) -> Line {
        Line {
            product_id: ProductId::parse("p").unwrap(),
            quantity: Quantity::new(quantity).unwrap(),
            unit_price_minor: price,
        }
    }

    #[test]
    fn the_total_is_the_sum_of_price_times_quantity() {
        let lines = [line(1_999, 2), line(5, 1_000)];
        assert_eq!(total(&lines, Currency::EUR).unwrap().minor(), 3_998 + 5_000);
    }

    #[test]
    fn a_total_that_overflows_is_no_total() {
        assert_eq!(total(&[line(u64::MAX, 1), line(1, 1)], Currency::EUR), None);
    }

    #[test]
    fn every_status_is_read_back_from_its_name() {
        for status in [Status::Reserving, Status::Pending] {
            assert_eq!(Status::parse(status.as_str()), Some(status));
        }
    }
}
