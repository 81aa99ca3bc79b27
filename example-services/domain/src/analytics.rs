//! What is known about all orders together.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A fact from the stream: an event in the form in which reports are made of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// The id of the event; it names the fact.
    pub event_id: String,
    /// What happened, such as `order.created`.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// When, in milliseconds since 1970-01-01T00:00:00Z.
    pub at_ms: u64,
    /// The event's detail, without its `_trace`.
    pub detail: Value,
}

/// The reports there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Report {
    /// Orders and their value per day.
    SalesByDay,
    /// Pieces and value per product, the most valuable first.
    TopProducts,
    /// How many orders came how far.
    Funnel,
    /// Orders and their value per department.
    Departments,
    /// Pieces that left the shelf, per product.
    StockMoves,
}

impl Report {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::SalesByDay, Self::TopProducts, Self::Funnel, Self::Departments, Self::StockMoves];

    /// The name in paths.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SalesByDay => "sales-by-day",
            Self::TopProducts => "top-products",
            Self::Funnel => "funnel",
            Self::Departments => "departments",
            Self::StockMoves => "stock-moves",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|report| report.as_str() == name)
    }
}
