//! The product service: what is on offer, and for how much.
//!
//! | endpoint | answers |
//! |---|---|
//! | `GET /products[?after=&limit=]` | `{"products": […], "next"}`, by id |
//! | `GET /products?ids=a,b` | those of them that exist |
//! | `GET /products/{id}` | one product, or 404 |

mod catalogue;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use shop_domain::cart::MAX_ITEMS;
use shop_domain::id::ProductId;
use shop_domain::port::ProductStore;
use shop_domain::product::Product;
use shop_kit::extract::{Json, Path, Query};
use shop_kit::failure::{Failure, refuse_the_rest};

pub use catalogue::{SEEDED_QUANTITY, seed, seeded};

/// The products of a page when nothing else is asked for, and at most.
const PAGE: usize = 100;

/// The service's parts.
#[derive(Clone, Debug)]
pub struct Products {
    /// Where products are kept.
    pub store: Arc<dyn ProductStore>,
}

/// The service, without the layers around it.
pub fn app(products: Products) -> Router {
    let router =
        Router::new().route("/products", get(list)).route("/products/{product_id}", get(show));
    refuse_the_rest(router).with_state(products)
}

#[derive(Debug, Deserialize)]
struct Listing {
    ids: Option<String>,
    after: Option<ProductId>,
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
struct Page {
    products: Vec<Product>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<ProductId>,
}

async fn list(
    State(products): State<Products>,
    Query(listing): Query<Listing>,
) -> Result<Json<Page>, Failure> {
    if let Some(ids) = &listing.ids {
        let products = some(&products, ids).await?;
        return Ok(Json(Page { products, next: None }));
    }
    let limit = listing.limit.unwrap_or(PAGE).clamp(1, PAGE);
    let mut page = products.store.list(listing.after.as_ref(), limit + 1).await?;
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map(|product| product.product_id.clone());
    Ok(Json(Page { products: page, next }))
}

#[tracing::instrument(name = "products.get_some", skip_all)]
async fn some(products: &Products, ids: &str) -> Result<Vec<Product>, Failure> {
    let mut found = Vec::new();
    for (number, id) in ids.split(',').enumerate() {
        if number == MAX_ITEMS {
            return Err(Failure::unprocessable(format!("at most {MAX_ITEMS} ids at a time")));
        }
        // An id that breaks the rule names nothing.
        if let Ok(id) = ProductId::parse(id) {
            found.extend(products.store.get(&id).await?);
        }
    }
    Ok(found)
}

async fn show(
    State(products): State<Products>,
    Path(id): Path<ProductId>,
) -> Result<Json<Product>, Failure> {
    let product = products.store.get(&id).await?;
    product.map(Json).ok_or_else(|| Failure::not_found(format!("there is no product {id}")))
}
