//! The services and their ports.

use std::fmt;

/// A service of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Name {
    /// The one door to the shop.
    Gateway,
    /// What is on offer.
    Product,
    /// Takes orders.
    Order,
    /// What is on the shelf.
    Inventory,
    /// What customers have put aside.
    Cart,
    /// What the café makes to order.
    Menu,
    /// Charges orders.
    Payment,
    /// Points for what was paid.
    Loyalty,
    /// Reports of everything.
    Analytics,
    /// Tells customers.
    Notification,
    /// Hands orders to a carrier.
    Shipping,
}

impl Name {
    /// Every service, in the order of their ports.
    pub const ALL: [Self; 11] = [
        Self::Gateway,
        Self::Product,
        Self::Order,
        Self::Inventory,
        Self::Cart,
        Self::Menu,
        Self::Payment,
        Self::Loyalty,
        Self::Analytics,
        Self::Notification,
        Self::Shipping,
    ];

    /// The order in which services stop: those that call others first.
    pub const DRAIN_ORDER: [Self; 11] = [
        Self::Gateway,
        Self::Notification,
        Self::Analytics,
        Self::Loyalty,
        Self::Order,
        Self::Payment,
        Self::Shipping,
        Self::Inventory,
        Self::Cart,
        Self::Product,
        Self::Menu,
    ];

    /// The name, as it is written on the command line and in lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Product => "product",
            Self::Order => "order",
            Self::Inventory => "inventory",
            Self::Cart => "cart",
            Self::Menu => "menu",
            Self::Payment => "payment",
            Self::Loyalty => "loyalty",
            Self::Analytics => "analytics",
            Self::Notification => "notification",
            Self::Shipping => "shipping",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|service| service.as_str() == name)
    }

    /// What it serves, for a person.
    pub(crate) const fn serves(self) -> &'static str {
        match self {
            Self::Gateway => "/ and /api/…: products menu orders inventory cart",
            Self::Product => "/products",
            Self::Order => "/orders",
            Self::Inventory => "/inventory",
            Self::Cart => "/v1/cart /stress",
            Self::Menu => "/menu/items",
            Self::Payment => "/transactions",
            Self::Loyalty => "/loyalty",
            Self::Analytics => "/reports",
            Self::Notification => "/outbox",
            Self::Shipping => "/shipments",
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Which ports the services listen on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ports {
    /// The gateway on 8080, the others on 8101 to 8110.
    #[default]
    Fixed,
    /// The gateway on this one, the others on those that follow.
    From(u16),
    /// Whichever are free.
    Free,
}

impl Ports {
    /// The highest first port that leaves room for all services.
    pub const HIGHEST_BASE: u16 = u16::MAX - (Name::ALL.len() as u16 - 1);

    /// The port of `service`; 0 for any.
    #[must_use]
    pub const fn port(self, service: Name) -> u16 {
        let offset = service as u16;
        match self {
            Self::Fixed if matches!(service, Name::Gateway) => 8080,
            Self::Fixed => 8100 + offset,
            Self::From(base) => base.saturating_add(offset),
            Self::Free => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_are_those_people_know() {
        let fixed = Name::ALL.map(|name| Ports::Fixed.port(name));
        assert_eq!((fixed[0], fixed[1], fixed[5]), (8080, 8101, 8105));
        for (number, name) in (0..).zip(Name::ALL) {
            assert_eq!(Ports::From(9000).port(name), 9000 + number, "{name}");
        }
    }

    #[test]
    fn every_service_is_drained() {
        let mut names = Name::DRAIN_ORDER;
        names.sort();
        assert_eq!(names, Name::ALL);
    }
}
