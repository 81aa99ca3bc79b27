use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::json;
use shop_domain::id::IdempotencyKey;

use super::cart::{Basket, Private};
use crate::storefront::Shop;
use crate::storefront::customer::Customer;
use crate::storefront::form::Form;
use crate::storefront::layout::{self, View};
use crate::storefront::trouble::Trouble;
use crate::storefront::wants::Wants;

/// The form that orders what the cart holds.
struct Checkout {
    basket: Basket,
    /// Sent with the form: pressed twice, it orders once.
    key: String,
    /// What was wrong with what it was filled in with.
    wrong: Option<String>,
}

/// `GET /checkout`
pub(crate) async fn show(
    State(shop): Shop,
    wants: Wants,
    Customer(user): Customer,
) -> Result<Response, Trouble> {
    let basket = Basket::of(&shop, user.as_ref()).await?;
    if basket.rows.is_empty() {
        return Ok(Redirect::to("/cart").into_response().private());
    }
    let key = format!("form-{:016x}{:016x}", shop.ids.random_u64(), shop.ids.random_u64());
    let view = Checkout { basket, key, wrong: None };
    Ok(layout::show(wants, StatusCode::OK, &view).private())
}

/// What the form sends. There is no `Debug`: it holds a card number.
#[derive(Deserialize)]
pub(crate) struct FilledIn {
    key: String,
    card: String,
    #[serde(default)]
    email: String,
}

/// `POST /checkout`: to the page of the order, or the form again with what was wrong.
pub(crate) async fn place(
    State(shop): Shop,
    wants: Wants,
    Customer(user): Customer,
    Form(FilledIn { key, card, email }): Form<FilledIn>,
) -> Result<Response, Trouble> {
    let unusual =
        |_| Trouble::new(StatusCode::UNPROCESSABLE_ENTITY, "The form is not one of ours.");
    let key = IdempotencyKey::parse(&key).map_err(unusual)?;
    let Some(user) = user else { return Ok(Redirect::to("/cart").into_response().private()) };
    let mut order = json!({"user_id": user, "from_cart": true, "card": {"number": card}});
    if !email.trim().is_empty() {
        order["email"] = json!(email.trim());
    }
    match shop.order(key.as_str(), &order).await.map_err(Trouble::from) {
        Ok(order) => {
            let address = format!("/order/{}", order.order_id);
            Ok(Redirect::to(&address).into_response().private())
        }
        // With another body the same key would be refused, so the form gets it anew.
        Err(trouble) if trouble.status().is_client_error() => {
            let basket = Basket::of(&shop, Some(&user)).await?;
            let wrong = Some(trouble.detail().to_owned());
            let key = format!("form-{:016x}{:016x}", shop.ids.random_u64(), shop.ids.random_u64());
            let view = Checkout { basket, key, wrong };
            Ok(layout::show(wants, trouble.status(), &view).private())
        }
        Err(trouble) => Err(trouble),
    }
}

impl View for Checkout {
    fn title(&self) -> String {
        "Checkout".to_owned()
    }

    fn section(&self) -> &'static str {
        "/cart"
    }

    fn html(&self) -> Markup {
        let described = self.wrong.as_ref().map(|_| "wrong");
        html! {
            h1 { "Checkout" }
            @if let Some(wrong) = &self.wrong {
                p.wrong #wrong role="alert" { (wrong) }
            }
            (self.basket.table())
            form.stack method="post" action="/checkout" aria-describedby=[described] {
                input type="hidden" name="key" value=(self.key);
                label for="card" { "Card number" }
                input #card name="card" type="text" inputmode="numeric" autocomplete="cc-number"
                    required minlength="12" maxlength="25" pattern="[0-9 \\-]+" aria-describedby="cards";
                p.quiet #cards {
                    "4242 4242 4242 4242 is charged, 4000 0000 0000 0002 is declined."
                }
                label for="email" { "E-mail, if you want to be told" }
                input #email name="email" type="email" autocomplete="email" maxlength="254";
                button.main { "Place the order" }
            }
        }
    }

    fn text(&self) -> String {
        let wrong = self.wrong.as_ref().map(|wrong| format!("  {wrong}\n\n")).unwrap_or_default();
        format!(
            "{wrong}{}\n  order: curl -b jar -d key={} -d card=4242424242424242 …/checkout\n",
            self.basket.lines(),
            self.key
        )
    }
}
