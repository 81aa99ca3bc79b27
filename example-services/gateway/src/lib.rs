//! The gateway: the one door to the shop.
//!
//! | path | goes to |
//! |---|---|
//! | `/api/products`, `/api/products/{id}` | product |
//! | `/api/orders`, `/api/orders/{id}` | order |
//! | `/api/inventory/{product_id}`, `/api/inventory/reserve`, `/api/inventory/release` | inventory |
//! | `/api/cart/{user_id}` | cart, `/v1/cart/{user_id}` |
//! | `/api/{service}/health` | `/health` of that service |
//!
//! Paths and methods are listed, not matched by prefix: what is not listed cannot be reached from
//! outside, and every line has the route it was served under. Bodies are read before they are
//! forwarded, so a slow or oversized one never reaches a service.

mod forward;

use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use shop_kit::failure::refuse_the_rest;
use shop_kit::upstream::Upstream;

use self::forward::{Forward, forward};

/// The services behind the gateway.
#[derive(Clone, Debug)]
pub struct Gateway {
    /// The product service.
    pub product: Upstream,
    /// The order service.
    pub order: Upstream,
    /// The inventory service.
    pub inventory: Upstream,
    /// The cart service.
    pub cart: Upstream,
}

/// How long a customer waits at most: longer than the calls that a service makes for the answer,
/// and what [API Gateway](https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html)
/// allows by default.
const TIMEOUT: Duration = Duration::from_secs(29);

/// The service, without the layers around it.
pub fn app(gateway: Gateway) -> Router {
    let product = Forward::to(&gateway.product, "/api", "");
    let order = Forward::to(&gateway.order, "/api", "");
    let inventory = Forward::to(&gateway.inventory, "/api", "");
    let cart = Forward::to(&gateway.cart, "/api", "/v1");
    let mut router = Router::new()
        .route("/api/products", get(forward).with_state(product.clone()))
        .route("/api/products/{product_id}", get(forward).with_state(product))
        .route("/api/orders", get(forward).post(forward).with_state(order.clone()))
        .route("/api/orders/{order_id}", get(forward).with_state(order))
        .route("/api/inventory/reserve", post(forward).with_state(inventory.clone()))
        .route("/api/inventory/release", post(forward).with_state(inventory.clone()))
        .route("/api/inventory/{product_id}", get(forward).put(forward).with_state(inventory))
        .route("/api/cart/{user_id}", get(forward).post(forward).delete(forward).with_state(cart));
    for (name, upstream) in [
        ("product", &gateway.product),
        ("products", &gateway.product),
        ("order", &gateway.order),
        ("orders", &gateway.order),
        ("inventory", &gateway.inventory),
        ("cart", &gateway.cart),
    ] {
        let path = format!("/api/{name}");
        let health = Forward::to(upstream, path.clone(), "");
        router = router.route(&format!("{path}/health"), get(forward).with_state(health));
    }
    refuse_the_rest(router)
}
