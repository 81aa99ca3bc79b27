use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use maud::{Markup, html};

use super::{rows, shelf};
use crate::storefront::Shop;
use crate::storefront::asking::Offer;
use crate::storefront::layout::{self, View};
use crate::storefront::trouble::Trouble;
use crate::storefront::wants::Wants;

/// The menu, part by part.
struct Menu(Vec<(String, Vec<Offer>)>);

/// `GET /menu`
pub(crate) async fn show(State(shop): Shop, wants: Wants) -> Result<Response, Trouble> {
    let menu = Menu(by_part(shop.menu().await?));
    Ok(layout::show(wants, StatusCode::OK, &menu))
}

/// Parts in the order of their first item.
fn by_part(offers: Vec<Offer>) -> Vec<(String, Vec<Offer>)> {
    let mut parts: Vec<(String, Vec<Offer>)> = Vec::new();
    for offer in offers {
        match parts.iter_mut().find(|(part, _)| *part == offer.category) {
            Some((_, offers)) => offers.push(offer),
            None => parts.push((offer.category.clone(), vec![offer])),
        }
    }
    parts
}

impl View for Menu {
    fn title(&self) -> String {
        "Café".to_owned()
    }

    fn section(&self) -> &'static str {
        "/menu"
    }

    fn html(&self) -> Markup {
        html! {
            h1 { "Made to order" }
            @for (part, offers) in &self.0 {
                h2.part { (part) }
                (shelf(offers))
            }
        }
    }

    fn text(&self) -> String {
        let part = |(part, offers): &(String, Vec<Offer>)| format!("  {part}\n{}\n", rows(offers));
        self.0.iter().map(part).collect()
    }
}
