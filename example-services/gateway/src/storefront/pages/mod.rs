//! The pages, each with what it answers, how it looks and how it reads in a terminal.

pub(crate) mod browse;
pub(crate) mod cart;
pub(crate) mod checkout;
mod drawing;
pub(crate) mod menu;
pub(crate) mod offer;
pub(crate) mod order;

use maud::{Markup, html};

use self::drawing::drawing;
use super::asking::Offer;
use super::layout::{column, price};

/// Offers side by side.
fn shelf(offers: &[Offer]) -> Markup {
    html! {
        ul.shelf {
            @for offer in offers {
                li {
                    a.card href={ "/product/" (offer.id) } {
                        (drawing(offer))
                        span.name { (offer.name) }
                        (price(offer.price))
                        @if !offer.available { span.quiet { "Not today" } }
                    }
                }
            }
        }
    }
}

/// Offers one below the other, each with the id that names it.
fn rows(offers: &[Offer]) -> String {
    let row = |offer: &Offer| {
        let price = offer.price.to_string();
        format!("  {} {} {price:>14}\n", column(offer.id.as_str(), 12), column(&offer.name, 36))
    };
    offers.iter().map(row).collect()
}
