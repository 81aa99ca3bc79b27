//! The storefront: pages for people, made here, whole and readable without a script.
//!
//! | path | page |
//! |---|---|
//! | `GET /[?q=&after=]` | the goods, all or those whose names contain `q` |
//! | `GET /menu` | what the café makes |
//! | `GET /product/{id}` | one of either |
//! | `GET /cart`, `POST /cart`, `POST /cart/clear` | what was put aside |
//! | `GET /checkout`, `POST /checkout` | places an order for what was put aside |
//! | `GET /order/{id}` | where an order stands; it keeps itself up to date |
//! | `GET /order/{id}/status` | that part of the page alone, for its script |
//! | `GET /assets/{name}` | style, script and drawings |
//!
//! Programs that do not ask for HTML, such as curl, get the same pages as plain text. Texts are
//! escaped by the templates; the policy of the pages allows nothing but our own style, script and
//! drawings. The only script asks for the status of an order every second; without it the page
//! reloads itself. Nothing is held open for it, so a stop of the gateway waits for nobody.

mod asking;
mod assets;
mod customer;
mod form;
mod layout;
mod pages;
mod trouble;
mod wants;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};

use crate::Gateway;

/// The pages over what the services behind `gateway` answer.
pub(crate) fn storefront(gateway: &Gateway) -> Router {
    let shop = Arc::new(gateway.clone());
    Router::new()
        .route("/", get(pages::browse::show))
        .route("/menu", get(pages::menu::show))
        .route("/product/{product_id}", get(pages::offer::show))
        .route("/cart", get(pages::cart::show).post(pages::cart::add))
        .route("/cart/clear", post(pages::cart::clear))
        .route("/checkout", get(pages::checkout::show).post(pages::checkout::place))
        .route("/order/{order_id}", get(pages::order::show))
        .route("/order/{order_id}/status", get(pages::order::status))
        .with_state(shop)
        .layer(from_fn(layout::guarded))
        .route("/assets/{name}", get(assets::serve))
}

/// What the handlers share.
type Shop = axum::extract::State<Arc<Gateway>>;
