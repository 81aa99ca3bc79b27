//! What customers are told, and where.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::{OrderId, UserId};

/// How a customer is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// By mail.
    Email,
    /// By a short message to a telephone.
    Sms,
    /// In the shop, for a customer who left neither.
    App,
}

impl Channel {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Email, Self::Sms, Self::App];

    /// The name in documents, tables and filter policies.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::App => "app",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == name)
    }
}

/// Where a customer wants to be told about an order.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The e-mail address, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The telephone number, if there is one: a plus sign and digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
}

impl Contact {
    /// How to tell this customer: by mail rather than by a short message.
    #[must_use]
    pub const fn channel(&self) -> Channel {
        match (&self.email, &self.phone) {
            (Some(_), _) => Channel::Email,
            (None, Some(_)) => Channel::Sms,
            (None, None) => Channel::App,
        }
    }
}

/// Tells how, not where.
impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Contact").field(&self.channel()).finish()
    }
}

/// A message to a customer, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// The order it is about.
    pub order_id: OrderId,
    /// Who is told.
    pub user_id: UserId,
    /// What is told, such as `order.shipped`; once per order.
    pub template: String,
    /// How.
    pub channel: Channel,
    /// The address, masked.
    pub to: String,
    /// The line above the text.
    pub subject: String,
    /// The text.
    pub body: String,
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
}
