//! The cart service: what customers have put aside.
//!
//! | endpoint | does |
//! |---|---|
//! | `POST /v1/cart/{user_id}` `{"product_id","quantity"}` | adds to the cart and answers it |
//! | `GET /v1/cart/{user_id}` | `{"user_id","items"}`; one never filled is empty |
//! | `DELETE /v1/cart/{user_id}` | empties the cart, 204 |
//! | `POST /stress?cpu_iterations&memory_mb&duration_ms` | works the processor and fills memory, within bounds |
//!
//! Each request is a span `handler.{Operation}`, below it the store's.

mod metrics;
mod stress;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use http::StatusCode;
use shop_domain::cart::{Cart, Item, MAX_ITEMS};
use shop_domain::id::UserId;
use shop_domain::port::CartStore;
use shop_domain::quantity::Quantity;
use shop_kit::extract::{Json, Path};
use shop_kit::failure::{Failure, refuse_the_rest};

pub use metrics::{CART_ITEMS, CART_OPERATIONS, Metrics};

/// The service's parts.
#[derive(Clone, Debug)]
pub struct Carts {
    /// Where carts are kept.
    pub store: Arc<dyn CartStore>,
    /// What is counted.
    pub metrics: Metrics,
}

/// The service, without the layers around it.
pub fn app(carts: Carts) -> Router {
    let router = Router::new()
        .route("/v1/cart/{user_id}", get(show).post(add).delete(clear))
        .with_state(carts)
        .route("/stress", post(stress::stress).with_state(stress::Turns::default()));
    refuse_the_rest(router)
}

#[tracing::instrument(name = "handler.GetCart", skip_all)]
async fn show(State(carts): State<Carts>, Path(user): Path<UserId>) -> Result<Json<Cart>, Failure> {
    carts.metrics.get.add(1);
    Ok(Json(carts.store.get(&user).await?))
}

#[tracing::instrument(name = "handler.AddItem", skip_all)]
async fn add(
    State(carts): State<Carts>,
    Path(user): Path<UserId>,
    Json(item): Json<Item>,
) -> Result<Json<Cart>, Failure> {
    carts.metrics.add.add(1);
    let Some(cart) = carts.store.add(&user, &item).await? else {
        let most = Quantity::MAX;
        let detail = format!("a cart holds at most {MAX_ITEMS} products and {most} pieces of each");
        return Err(Failure::conflict(detail));
    };
    carts.metrics.items.record(cart.items.len() as f64);
    Ok(Json(cart))
}

#[tracing::instrument(name = "handler.ClearCart", skip_all)]
async fn clear(
    State(carts): State<Carts>,
    Path(user): Path<UserId>,
) -> Result<StatusCode, Failure> {
    carts.metrics.clear.add(1);
    carts.store.clear(&user).await?;
    Ok(StatusCode::NO_CONTENT)
}
