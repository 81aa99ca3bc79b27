use axum::extract::{Query, State};
use axum::response::Response;
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use shop_domain::id::ProductId;

use super::{rows, shelf};
use crate::storefront::Shop;
use crate::storefront::asking::Offer;
use crate::storefront::layout::{self, View};
use crate::storefront::trouble::Trouble;
use crate::storefront::wants::Wants;

/// The longest text that is searched for, in bytes; the product service takes no longer one.
const LONGEST: usize = 100;

#[derive(Debug, Deserialize)]
pub(crate) struct Search {
    #[serde(default)]
    q: String,
    #[serde(default)]
    after: String,
}

/// The goods, or those that were searched for.
struct Goods {
    q: String,
    offers: Vec<Offer>,
    next: Option<ProductId>,
}

/// `GET /`
pub(crate) async fn show(
    State(shop): Shop,
    wants: Wants,
    search: Result<Query<Search>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Trouble> {
    let unreadable = |_| Trouble::new(StatusCode::BAD_REQUEST, "The search cannot be read.");
    let Query(Search { q, after }) = search.map_err(unreadable)?;
    let q = q.trim();
    if q.len() > LONGEST {
        let detail = format!("A search has at most {LONGEST} letters.");
        return Err(Trouble::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    let goods = shop.goods(q, &after).await?;
    let offers = goods.products.into_iter().map(Offer::from).collect();
    let view = Goods { q: q.to_owned(), offers, next: goods.next };
    Ok(layout::show(wants, StatusCode::OK, &view))
}

impl Goods {
    fn found(&self) -> String {
        match self.offers.len() {
            0 => format!("Nothing is called “{}”.", self.q),
            1 => format!("One thing is called “{}”.", self.q),
            many => format!("{many} things are called “{}”.", self.q),
        }
    }
}

impl View for Goods {
    fn title(&self) -> String {
        if self.q.is_empty() { "Goods".to_owned() } else { format!("Search: {}", self.q) }
    }

    fn section(&self) -> &'static str {
        "/"
    }

    fn html(&self) -> Markup {
        html! {
            h1 { "For a good cup" }
            form.search role="search" action="/" {
                label for="q" { "Search the goods" }
                div.row {
                    input #q type="search" name="q" value=(self.q) maxlength=(LONGEST) autocomplete="off";
                    button { "Search" }
                }
            }
            @if !self.q.is_empty() {
                p role="status" { (self.found()) " " a href="/" { "Show all goods" } }
            }
            (shelf(&self.offers))
            @if let Some(next) = &self.next {
                p { a rel="next" href={ "/?after=" (next) } { "More goods" } }
            }
        }
    }

    fn text(&self) -> String {
        let mut text = rows(&self.offers);
        if !self.q.is_empty() {
            text = format!("  {}\n\n{text}", self.found());
        }
        if let Some(next) = &self.next {
            text.push_str(&format!("\n  more: /?after={next}\n"));
        }
        text + "\n  one:     /product/ID\n  search:  /?q=TEXT\n  café:    /menu\n  cart:    /cart\n"
    }
}
