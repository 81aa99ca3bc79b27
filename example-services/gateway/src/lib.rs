//! The gateway: the one door to the shop.
//!
//! | path | goes to |
//! |---|---|
//! | `/api/products`, `/api/products/{id}` | product |
//! | `/api/menu/items`, `/api/menu/items/{id}` | menu |
//! | `/api/orders`, `/api/orders/{id}`, `/api/orders/{id}/history` | order |
//! | `/api/loyalty/{user_id}` | loyalty |
//! | `/api/reports`, `/api/reports/{name}` | analytics |
//! | `/api/shipments/{order_id}` | shipping |
//! | `/api/inventory/{product_id}`, `/api/inventory/reserve`, `/api/inventory/release` | inventory |
//! | `/api/cart/{user_id}` | cart, `/v1/cart/{user_id}` |
//! | `/api/{service}/health` | `/health` of that service |
//! | `/api/{service}/stress/{scenario}` | `/stress/{scenario}` of that service |
//!
//! The paths of the services themselves work too: `/products`, `/orders`, `/inventory`,
//! `/menu/items`, `/v1/cart/{user_id}`, `/stress`.
//!
//! Everything else is the storefront: pages for people, and the same as text for terminals.
//!
//! Paths and methods are listed, not matched by prefix: what is not listed cannot be reached from
//! outside, and every line has the route it was served under. Bodies are read before they are
//! forwarded, so a slow or oversized one never reaches a service. Answers get `Cache-Control` by
//! their content type: what is on offer may be kept for a minute, what is a customer's never.

mod cache_rules;
mod forward;
mod storefront;

use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};
use obs_core::id::IdGenerator;
use shop_kit::failure::refuse_the_rest;
use shop_kit::stress::Load;
use shop_kit::upstream::Upstream;

use self::forward::{Forward, forward};
use self::storefront::storefront;

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
    /// The menu service.
    pub menu: Upstream,
    /// The payment service.
    pub payment: Upstream,
    /// The loyalty service.
    pub loyalty: Upstream,
    /// The analytics service.
    pub analytics: Upstream,
    /// The notification service.
    pub notification: Upstream,
    /// The shipping service.
    pub shipping: Upstream,
    /// Where the names of new customers come from.
    pub ids: IdGenerator,
}

/// How long a customer waits at most: longer than the calls that a service makes for the answer,
/// and what [API Gateway](https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html)
/// allows by default.
const TIMEOUT: Duration = Duration::from_secs(29);

/// How long a stress scenario may take, the way there and back included.
const STRESS_TIMEOUT: Duration = Load::MAX_DURATION.saturating_add(Duration::from_secs(10));

/// The service, without the layers around it.
pub fn app(gateway: Gateway) -> Router {
    let router = Router::new()
        .merge(resources(&gateway, "/api", "/api/cart"))
        .merge(resources(&gateway, "", "/v1/cart"))
        .merge(operations(&gateway))
        .merge(storefront(&gateway));
    refuse_the_rest(router).layer(from_fn(cache_rules::set))
}

/// What customers use, under `prefix`; carts under `carts`.
fn resources(gateway: &Gateway, prefix: &'static str, carts: &'static str) -> Router {
    let path = |path: &str| format!("{prefix}{path}");
    let product = Forward::to(&gateway.product, prefix, "");
    let order = Forward::to(&gateway.order, prefix, "");
    let inventory = Forward::to(&gateway.inventory, prefix, "");
    let menu = Forward::to(&gateway.menu, prefix, "");
    let cart = Forward::to(&gateway.cart, carts, "/v1/cart");
    let loyalty = Forward::to(&gateway.loyalty, prefix, "");
    let analytics = Forward::to(&gateway.analytics, prefix, "");
    let shipping = Forward::to(&gateway.shipping, prefix, "");
    let item = get(forward).put(forward).delete(forward).with_state(menu.clone());
    Router::new()
        .route(&path("/products"), get(forward).with_state(product.clone()))
        .route(&path("/products/{product_id}"), get(forward).with_state(product))
        .route(&path("/menu/items"), get(forward).post(forward).with_state(menu))
        .route(&path("/menu/items/{item_id}"), item)
        .route(&path("/orders"), get(forward).post(forward).with_state(order.clone()))
        .route(&path("/orders/{order_id}"), get(forward).with_state(order.clone()))
        .route(&path("/orders/{order_id}/history"), get(forward).with_state(order))
        .route(&path("/loyalty/{user_id}"), get(forward).with_state(loyalty))
        .route(&path("/reports"), get(forward).with_state(analytics.clone()))
        .route(&path("/reports/{name}"), get(forward).with_state(analytics))
        .route(&path("/shipments/{order_id}"), get(forward).with_state(shipping))
        .route(&path("/inventory/restock"), post(forward).with_state(inventory.clone()))
        .route(&path("/inventory/reserve"), post(forward).with_state(inventory.clone()))
        .route(&path("/inventory/release"), post(forward).with_state(inventory.clone()))
        .route(&path("/inventory/{product_id}"), get(forward).put(forward).with_state(inventory))
        .route(
            &format!("{carts}/{{user_id}}"),
            get(forward).post(forward).delete(forward).with_state(cart),
        )
}

/// Health and stress of the services behind.
fn operations(gateway: &Gateway) -> Router {
    let mut router = Router::new();
    for (name, upstream) in [
        ("product", &gateway.product),
        ("products", &gateway.product),
        ("order", &gateway.order),
        ("orders", &gateway.order),
        ("inventory", &gateway.inventory),
        ("cart", &gateway.cart),
        ("menu", &gateway.menu),
        ("payment", &gateway.payment),
        ("loyalty", &gateway.loyalty),
        ("analytics", &gateway.analytics),
        ("notification", &gateway.notification),
        ("shipping", &gateway.shipping),
    ] {
        let path = format!("/api/{name}");
        let to = Forward::to(upstream, path.clone(), "");
        let stress = to.clone().timeout(STRESS_TIMEOUT);
        router = router
            .route(&format!("{path}/health"), get(forward).with_state(to))
            .route(&format!("{path}/stress"), post(forward).with_state(stress.clone()))
            .route(&format!("{path}/stress/{{scenario}}"), post(forward).with_state(stress));
    }
    let stress = Forward::to(&gateway.cart, "", "").timeout(STRESS_TIMEOUT);
    router.route("/stress", post(forward).with_state(stress))
}
