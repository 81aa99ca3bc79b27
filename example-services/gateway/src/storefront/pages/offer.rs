use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use maud::{Markup, html};
use shop_domain::id::ProductId;
use shop_domain::order::Department;
use shop_domain::quantity::Quantity;

use super::drawing::drawing;
use crate::storefront::Shop;
use crate::storefront::asking::Offer;
use crate::storefront::layout::{self, View, price};
use crate::storefront::trouble::Trouble;
use crate::storefront::wants::Wants;

/// From how many pieces on the number that is left is told.
const FEW: u64 = 10;

/// One offer, and how many can be had, if that is known.
struct One {
    offer: Offer,
    stock: Option<u64>,
}

/// `GET /product/{id}`
pub(crate) async fn show(
    State(shop): Shop,
    wants: Wants,
    Path(id): Path<String>,
) -> Result<Response, Trouble> {
    let id = ProductId::parse(&id).map_err(|_| Trouble::missing())?;
    let offer = shop.offer(&id).await?;
    let stock = shop.stock(&id).await;
    Ok(layout::show(wants, StatusCode::OK, &One { offer, stock }))
}

impl One {
    fn can_be_had(&self) -> bool {
        self.offer.available && self.stock != Some(0)
    }

    fn left(&self) -> String {
        match self.stock {
            _ if !self.offer.available => "Not on the menu today.".to_owned(),
            Some(0) => "Sold out.".to_owned(),
            Some(left) if left <= FEW => format!("Only {left} left."),
            _ => "In stock.".to_owned(),
        }
    }
}

impl View for One {
    fn title(&self) -> String {
        self.offer.name.clone()
    }

    fn section(&self) -> &'static str {
        match Department::of(&self.offer.id) {
            Department::Goods => "/",
            Department::Cafe => "/menu",
        }
    }

    fn html(&self) -> Markup {
        let most = self.stock.unwrap_or(u64::MAX).min(Quantity::MAX.into());
        html! {
            div.one {
                div.plate { (drawing(&self.offer)) }
                div {
                    h1 { (self.offer.name) }
                    p.lead { (price(self.offer.price)) }
                    p.quiet { (self.left()) }
                    @if self.can_be_had() {
                        form method="post" action="/cart" {
                            input type="hidden" name="product_id" value=(self.offer.id);
                            label for="quantity" { "Quantity" }
                            div.row {
                                input #quantity type="number" name="quantity" value="1" min="1"
                                    max=(most) required inputmode="numeric";
                                button.main { "Add to cart" }
                            }
                        }
                    }
                }
            }
        }
    }

    fn text(&self) -> String {
        let id = &self.offer.id;
        let mut text = format!("  {}\n  {}\n", self.offer.price, self.left());
        if self.can_be_had() {
            text.push_str(&format!(
                "\n  add to cart: curl -b jar -c jar -d product_id={id} -d quantity=1 …/cart\n"
            ));
        }
        text
    }
}
