//! The product service: what is on offer, and for how much.
//!
//! | endpoint | answers |
//! |---|---|
//! | `GET /products[?after=&limit=]` | `{"products": […], "next"}`, by id |
//! | `GET /products?ids=a,b` | those of them that exist |
//! | `GET /products?q=cup` | those whose names contain the text; scans the whole table |
//! | `GET /products/{id}` | one product, or 404 |
//!
//! Single products are kept in the cache for 300 s under `product:{id}`, in the form in which they
//! are shown. The service is limited like the function it is deployed as; see [`FunctionLimits`].

mod catalogue;
mod limits;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use shop_domain::cart::MAX_ITEMS;
use shop_domain::id::ProductId;
use shop_domain::port::ProductStore;
use shop_domain::product::Product;
use shop_kit::cached::Cached;
use shop_kit::extract::{Json, Path, Query};
use shop_kit::failure::{Failure, refuse_the_rest};

pub use catalogue::{SEEDED_QUANTITY, seed, seeded};
pub use limits::FunctionLimits;

use self::limits::Held;

/// How long a product is kept in the cache.
pub const CACHE_TTL: Duration = Duration::from_secs(300);

/// The products of a page when nothing else is asked for, and at most.
const PAGE: usize = 100;

/// The service's parts.
#[derive(Clone, Debug)]
pub struct Products {
    /// Where products are kept.
    pub store: Arc<dyn ProductStore>,
    /// Copies of single products.
    pub cache: Cached,
    /// The limits of the function.
    pub limits: FunctionLimits,
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
    q: Option<String>,
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
    if let Some(text) = &listing.q {
        let products = search(&products, text).await?;
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
            found.extend(read(products, &id).await?);
        }
    }
    Ok(found)
}

async fn read(products: &Products, id: &ProductId) -> Result<Option<Product>, Failure> {
    Ok(products.cache.get(id.as_str(), products.store.get(id)).await?)
}

/// Up to a page of products whose names contain `text`, whatever the case. There is no index for
/// that: every product is read.
#[tracing::instrument(name = "products.scan", skip_all)]
async fn search(products: &Products, text: &str) -> Result<Vec<Product>, Failure> {
    const LONGEST: usize = 100;
    if text.len() > LONGEST {
        return Err(Failure::unprocessable(format!("q has at most {LONGEST} bytes")));
    }
    let text = text.to_lowercase();
    let mut held = Held::new(products.limits);
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = products.store.list(after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.product_id.clone());
        for product in page {
            held.add(&product)?;
            if product.name.to_lowercase().contains(&text) {
                found.push(product);
            }
        }
    }
    found.truncate(PAGE);
    Ok(found)
}

async fn show(
    State(products): State<Products>,
    Path(id): Path<ProductId>,
) -> Result<Json<Product>, Failure> {
    let product = read(&products, &id).await?;
    product.map(Json).ok_or_else(|| Failure::not_found(format!("there is no product {id}")))
}
