//! Orders.

use serde::{Deserialize, Serialize};

use crate::id::{OrderId, ProductId, TenantId, UserId};
use crate::money::{Currency, Money};
use crate::quantity::Quantity;

/// One try at placing an order.
///
/// A customer's key stands for one order, however often it is tried. Each try has a higher number
/// than those before it, and goes with everything that is done for it: what an earlier one left
/// behind, or does too late, cannot touch a later one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// The order.
    pub order_id: OrderId,
    /// The number of the try, from 1.
    #[serde(rename = "attempt", default = "first")]
    pub number: u32,
}

const fn first() -> u32 {
    1
}

impl Attempt {
    /// The first try at `order_id`.
    #[must_use]
    pub const fn first(order_id: OrderId) -> Self {
        Self { order_id, number: first() }
    }
}

/// Where an order stands.
///
/// ```text
/// RESERVING -> PENDING -> PAYMENT_PENDING -> PAID -> SHIPPING -> SHIPPED
///                 |              |            |         |
///                 |              v            v         v
///                 |        PAYMENT_FAILED  REJECTED_STOCK, CANCELLED
///                 v
///             CANCELLED
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Being placed: its stock is not yet sure. Nobody has been promised anything.
    Reserving,
    /// Accepted: stored for good, its stock kept.
    Pending,
    /// Its payment is asked for.
    PaymentPending,
    /// Paid for.
    Paid,
    /// Its stock has left the shelf; a parcel is on its way to the carrier.
    Shipping,
    /// Handed to the carrier. Final.
    Shipped,
    /// Its stock was gone when it was needed; what was paid is paid back. Final.
    RejectedStock,
    /// It was not paid for; its stock is free again. Final.
    PaymentFailed,
    /// Given up for another reason; its stock is free again. Final.
    Cancelled,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Reserving,
        Self::Pending,
        Self::PaymentPending,
        Self::Paid,
        Self::Shipping,
        Self::Shipped,
        Self::RejectedStock,
        Self::PaymentFailed,
        Self::Cancelled,
    ];

    /// The name in documents and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reserving => "RESERVING",
            Self::Pending => "PENDING",
            Self::PaymentPending => "PAYMENT_PENDING",
            Self::Paid => "PAID",
            Self::Shipping => "SHIPPING",
            Self::Shipped => "SHIPPED",
            Self::RejectedStock => "REJECTED_STOCK",
            Self::PaymentFailed => "PAYMENT_FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == name)
    }

    /// Whether an order in this status may get the status `next`.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Reserving => matches!(next, Self::Pending),
            Self::Pending => matches!(next, Self::PaymentPending | Self::Cancelled),
            Self::PaymentPending => {
                matches!(next, Self::Paid | Self::PaymentFailed | Self::Cancelled)
            }
            Self::Paid => matches!(next, Self::Shipping | Self::RejectedStock | Self::Cancelled),
            Self::Shipping => matches!(next, Self::Shipped | Self::Cancelled),
            Self::Shipped | Self::RejectedStock | Self::PaymentFailed | Self::Cancelled => false,
        }
    }

    /// Whether nothing comes after it.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Shipped | Self::RejectedStock | Self::PaymentFailed | Self::Cancelled)
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
    /// Why it came to nothing, if it did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// Under what the carrier knows its parcel, once there is one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tracking_id: Option<String>,
}

/// A part of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Department {
    /// Goods from the shelf.
    Goods,
    /// What the café makes to order.
    Cafe,
}

impl Department {
    /// The name in documents, and as a dimension.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Goods => "goods",
            Self::Cafe => "cafe",
        }
    }

    /// The part of the shop that an id belongs to: those of the menu begin with `menu-`.
    #[must_use]
    pub fn of(id: &ProductId) -> Self {
        if id.as_str().starts_with("menu-") { Self::Cafe } else { Self::Goods }
    }

    /// The part that an order of `lines` belongs to: the café when it makes all of it.
    #[must_use]
    pub fn of_lines(lines: &[Line]) -> Self {
        let is_cafe = |line: &Line| Self::of(&line.product_id) == Self::Cafe;
        if !lines.is_empty() && lines.iter().all(is_cafe) { Self::Cafe } else { Self::Goods }
    }
}

/// A step in the life of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// Where it stood.
    pub from: Status,
    /// Where it stands since.
    pub to: Status,
    /// Why, if there is more to say.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
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
        for status in Status::ALL {
            assert_eq!(Status::parse(status.as_str()), Some(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
    }

    #[test]
    fn nothing_follows_a_final_status_and_something_every_other() {
        for status in Status::ALL {
            let next = Status::ALL.into_iter().filter(|next| status.may_become(*next)).count();
            assert_eq!(next == 0, status.is_final(), "{status:?}");
        }
    }

    #[test]
    fn an_order_is_the_cafes_when_it_makes_all_of_it() {
        let line = |id: &str| Line { product_id: ProductId::parse(id).unwrap(), ..line(1, 1) };
        let of =
            |ids: &[&str]| Department::of_lines(&ids.iter().map(|id| line(id)).collect::<Vec<_>>());
        assert_eq!(of(&["prod-001"]), Department::Goods);
        assert_eq!(of(&["menu-001", "menu-002"]), Department::Cafe);
        assert_eq!(of(&["menu-001", "prod-001"]), Department::Goods);
    }
}
