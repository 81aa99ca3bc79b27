use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderValue, StatusCode, header};
use maud::{Markup, html};
use serde::Deserialize;
use shop_domain::id::{ProductId, UserId};
use shop_domain::money::Money;
use shop_domain::quantity::Quantity;

use crate::Gateway;
use crate::storefront::Shop;
use crate::storefront::customer::{Customer, cookie, stranger};
use crate::storefront::form::Form;
use crate::storefront::layout::{self, View, column, price};
use crate::storefront::trouble::Trouble;
use crate::storefront::wants::Wants;

/// What is in a cart, with today's prices.
#[derive(Clone, Debug, Default)]
pub(crate) struct Basket {
    pub(crate) rows: Vec<Row>,
    /// Nothing when it is no amount, as of an empty cart.
    pub(crate) total: Option<Money>,
}

#[derive(Clone, Debug)]
pub(crate) struct Row {
    id: ProductId,
    name: String,
    quantity: Quantity,
    /// Nothing when it is not on offer any more.
    price: Option<Money>,
}

impl Basket {
    /// The cart of `user`; an empty one of somebody who is not known.
    pub(crate) async fn of(shop: &Gateway, user: Option<&UserId>) -> Result<Self, Trouble> {
        let Some(user) = user else { return Ok(Self::default()) };
        let cart = shop.cart(user).await?;
        let offers = shop.offers(cart.items.iter().map(|item| &item.product_id)).await?;
        let row = |item: shop_domain::cart::Item| {
            let offer = offers.iter().find(|offer| offer.id == item.product_id);
            let name =
                offer.map_or_else(|| item.product_id.to_string(), |offer| offer.name.clone());
            let price = offer.and_then(|offer| offer.price.times(item.quantity));
            Row { id: item.product_id, name, quantity: item.quantity, price }
        };
        let rows: Vec<Row> = cart.items.into_iter().map(row).collect();
        let total = sum(&rows);
        Ok(Self { rows, total })
    }

    /// The rows and their sum as a table.
    pub(crate) fn table(&self) -> Markup {
        html! {
            table {
                caption.unseen { "What is in your cart" }
                thead { tr {
                    th scope="col" { "What" }
                    th.number scope="col" { "Quantity" }
                    th.number scope="col" { "Price" }
                } }
                tbody {
                    @for row in &self.rows {
                        tr {
                            th scope="row" { a href={ "/product/" (row.id) } { (row.name) } }
                            td.number { (row.quantity.get()) }
                            td.number {
                                @match row.price {
                                    Some(money) => (price(money)),
                                    None => "not on offer any more",
                                }
                            }
                        }
                    }
                }
                @if let Some(total) = self.total {
                    tfoot { tr {
                        th scope="row" colspan="2" { "Total" }
                        td.number { (price(total)) }
                    } }
                }
            }
        }
    }

    /// The same as text.
    pub(crate) fn lines(&self) -> String {
        let line = |row: &Row| {
            let price =
                row.price.map_or_else(|| "not on offer".to_owned(), |price| price.to_string());
            format!("  {:>5} x {} {price:>14}\n", row.quantity.get(), column(&row.name, 36))
        };
        let total = self
            .total
            .map(|total| format!("  {:44} {total:>14}\n", "Total", total = total.to_string()));
        self.rows.iter().map(line).chain(total).collect()
    }
}

fn sum(rows: &[Row]) -> Option<Money> {
    let mut prices = rows.iter().filter_map(|row| row.price);
    let first = prices.next()?;
    prices.try_fold(first, Money::plus)
}

/// `GET /cart`
pub(crate) async fn show(
    State(shop): Shop,
    wants: Wants,
    Customer(user): Customer,
) -> Result<Response, Trouble> {
    let basket = Basket::of(&shop, user.as_ref()).await?;
    Ok(layout::show(wants, StatusCode::OK, &basket).private())
}

#[derive(Debug, Deserialize)]
pub(crate) struct Addition {
    product_id: String,
    quantity: i64,
}

/// `POST /cart`: a stranger gets a name by which the cart is found again.
pub(crate) async fn add(
    State(shop): Shop,
    Customer(user): Customer,
    Form(Addition { product_id, quantity }): Form<Addition>,
) -> Result<Response, Trouble> {
    let wrong = |detail: String| Trouble::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
    let id = ProductId::parse(&product_id).map_err(|_| Trouble::missing())?;
    let quantity = Quantity::new(quantity).map_err(|rule| wrong(format!("The {rule}.")))?;
    // What is not on offer is not put aside: nobody could order it.
    shop.offer(&id).await?;
    let user = user.unwrap_or_else(|| stranger(&shop.ids));
    shop.add(&user, &id, quantity.get()).await?;
    let mut response = Redirect::to("/cart").into_response();
    response.headers_mut().insert(header::SET_COOKIE, cookie(&user));
    Ok(response.private())
}

/// A form without fields.
#[derive(Debug, Deserialize)]
pub(crate) struct Nothing {}

/// `POST /cart/clear`
pub(crate) async fn clear(
    State(shop): Shop,
    Customer(user): Customer,
    Form(Nothing {}): Form<Nothing>,
) -> Result<Response, Trouble> {
    if let Some(user) = user {
        shop.clear(&user).await?;
    }
    Ok(Redirect::to("/cart").into_response().private())
}

/// Answers that belong to one customer.
pub(crate) trait Private {
    /// Forbids everybody to keep a copy.
    fn private(self) -> Self;
}

impl Private for Response {
    fn private(mut self) -> Self {
        self.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self
    }
}

impl View for Basket {
    fn title(&self) -> String {
        "Cart".to_owned()
    }

    fn section(&self) -> &'static str {
        "/cart"
    }

    fn html(&self) -> Markup {
        html! {
            h1 { "Your cart" }
            @if self.rows.is_empty() {
                p.lead { "There is nothing in it yet." }
                p { a href="/" { "Look at the goods" } " or " a href="/menu" { "at the menu" } "." }
            } @else {
                (self.table())
                div.row.end {
                    form method="post" action="/cart/clear" { button { "Empty the cart" } }
                    a.button.main href="/checkout" { "Checkout" }
                }
            }
        }
    }

    fn text(&self) -> String {
        if self.rows.is_empty() {
            return "  There is nothing in it yet.\n".to_owned();
        }
        self.lines() + "\n  order:  /checkout\n"
    }
}
