//! The cart service: what customers have put aside.
//!
//! | endpoint | does |
//! |---|---|
//! | `POST /v1/cart/{user_id}` `{"product_id","quantity"}` | adds to the cart and answers it |
//! | `GET /v1/cart/{user_id}` | `{"user_id","items"}`; one never filled is empty |
//! | `DELETE /v1/cart/{user_id}` | empties the cart, 204 |
//! | `POST /stress?cpu_iterations&memory_mb` | works the processor and fills memory, within bounds |

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

/// The service's parts.
#[derive(Clone, Debug)]
pub struct Carts {
    /// Where carts are kept.
    pub store: Arc<dyn CartStore>,
}

/// The service, without the layers around it.
pub fn app(carts: Carts) -> Router {
    let router = Router::new()
        .route("/v1/cart/{user_id}", get(show).post(add).delete(clear))
        .with_state(carts)
        .route("/stress", post(stress::stress).with_state(stress::Turns::default()));
    refuse_the_rest(router)
}

#[tracing::instrument(name = "cart.get", skip_all)]
async fn show(State(carts): State<Carts>, Path(user): Path<UserId>) -> Result<Json<Cart>, Failure> {
    Ok(Json(carts.store.get(&user).await?))
}

#[tracing::instrument(name = "cart.add", skip_all)]
async fn add(
    State(carts): State<Carts>,
    Path(user): Path<UserId>,
    Json(item): Json<Item>,
) -> Result<Json<Cart>, Failure> {
    let cart = carts.store.add(&user, &item).await?;
    cart.map(Json).ok_or_else(|| {
        let most = Quantity::MAX;
        let detail = format!("a cart holds at most {MAX_ITEMS} products and {most} pieces of each");
        Failure::conflict(detail)
    })
}

#[tracing::instrument(name = "cart.clear", skip_all)]
async fn clear(
    State(carts): State<Carts>,
    Path(user): Path<UserId>,
) -> Result<StatusCode, Failure> {
    carts.store.clear(&user).await?;
    Ok(StatusCode::NO_CONTENT)
}
