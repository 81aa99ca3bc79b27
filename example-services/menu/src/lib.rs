//! The menu service: what the café makes to order.
//!
//! | endpoint | does |
//! |---|---|
//! | `GET /menu/items[?after=&limit=]`, `?ids=a,b` | `{"items": […], "next"}`, by id |
//! | `POST /menu/items` `{"item_id", …}` | puts an item on the menu, 201; 409 if it is there |
//! | `GET /menu/items/{id}` | one item with its version as `ETag`, or 404 |
//! | `PUT /menu/items/{id}` with `If-Match` | replaces that version; 412 if it has changed, 428 without |
//! | `DELETE /menu/items/{id}` with `If-Match` | removes that version, 204 |
//! | `POST /stress/menu-sync?scale&duration_ms` | the menu-sync storm, within bounds |
//!
//! Single items are kept in the cache for 5 minutes under `menu:{id}`; a change forgets the copy.

mod catalogue;
mod sync;
mod version;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use shop_domain::cart::MAX_ITEMS;
use shop_domain::id::ProductId;
use shop_domain::menu::{Dish, MenuItem};
use shop_domain::port::{MenuStore, Written};
use shop_kit::cached::Cached;
use shop_kit::extract::{Json, Path, Query};
use shop_kit::failure::{Failure, refuse_the_rest};
use shop_kit::stress::Turns;

pub use catalogue::{SEEDED_QUANTITY, seed, seeded};

use self::version::{IfMatch, changed, etag};

/// How long an item is kept in the cache.
pub const CACHE_TTL: Duration = Duration::from_secs(5 * 60);

/// The items of a page when nothing else is asked for, and at most.
const PAGE: usize = 100;

/// The service's parts.
#[derive(Clone, Debug)]
pub struct Menu {
    /// Where the menu is kept.
    pub store: Arc<dyn MenuStore>,
    /// Copies of single items.
    pub cache: Cached,
    /// Who may run a stress scenario.
    pub turns: Turns,
}

/// The service, without the layers around it.
pub fn app(menu: Menu) -> Router {
    let stress = post(sync::sync).with_state(menu.turns.clone());
    let router = Router::new()
        .route("/menu/items", get(list).post(add))
        .route("/menu/items/{item_id}", get(show).put(replace).delete(remove))
        .with_state(menu)
        .route("/stress/menu-sync", stress);
    refuse_the_rest(router)
}

#[derive(Debug, Deserialize)]
struct Listing {
    ids: Option<String>,
    after: Option<ProductId>,
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
struct Page {
    items: Vec<MenuItem>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<ProductId>,
}

async fn list(
    State(menu): State<Menu>,
    Query(listing): Query<Listing>,
) -> Result<Json<Page>, Failure> {
    if let Some(ids) = &listing.ids {
        let items = some(&menu, ids).await?;
        return Ok(Json(Page { items, next: None }));
    }
    let limit = listing.limit.unwrap_or(PAGE).clamp(1, PAGE);
    let mut page = menu.store.list(listing.after.as_ref(), limit + 1).await?;
    let more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| more).map(|item| item.item_id.clone());
    Ok(Json(Page { items: page, next }))
}

async fn some(menu: &Menu, ids: &str) -> Result<Vec<MenuItem>, Failure> {
    let mut found = Vec::new();
    for (number, id) in ids.split(',').enumerate() {
        if number == MAX_ITEMS {
            return Err(Failure::unprocessable(format!("at most {MAX_ITEMS} ids at a time")));
        }
        // An id that breaks the rule names nothing.
        if let Ok(id) = ProductId::parse(id) {
            found.extend(read(menu, &id).await?);
        }
    }
    Ok(found)
}

async fn read(menu: &Menu, id: &ProductId) -> Result<Option<MenuItem>, Failure> {
    Ok(menu.cache.get(id.as_str(), menu.store.get(id)).await?)
}

fn missing(id: &ProductId) -> Failure {
    Failure::not_found(format!("there is no menu item {id}"))
}

fn answer(status: StatusCode, item: MenuItem) -> Response {
    (status, [(header::ETAG, etag(&item))], Json(item)).into_response()
}

async fn show(State(menu): State<Menu>, Path(id): Path<ProductId>) -> Result<Response, Failure> {
    let item = read(&menu, &id).await?.ok_or_else(|| missing(&id))?;
    Ok(answer(StatusCode::OK, item))
}

#[derive(Debug, Deserialize)]
struct NewItem {
    item_id: ProductId,
    #[serde(flatten)]
    dish: Dish,
}

#[tracing::instrument(name = "menu.add", skip_all)]
async fn add(
    State(menu): State<Menu>,
    Json(NewItem { item_id, dish }): Json<NewItem>,
) -> Result<Response, Failure> {
    if !menu.store.add(&item_id, &dish).await? {
        return Err(Failure::conflict(format!("{item_id} is on the menu already")));
    }
    let location = HeaderValue::try_from(format!("/menu/items/{item_id}"));
    let mut response = answer(StatusCode::CREATED, MenuItem { item_id, dish, version: 1 });
    if let Ok(location) = location {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

#[tracing::instrument(name = "menu.replace", skip_all)]
async fn replace(
    State(menu): State<Menu>,
    Path(id): Path<ProductId>,
    IfMatch(version): IfMatch,
    Json(dish): Json<Dish>,
) -> Result<Response, Failure> {
    let item = written(&menu, &id, menu.store.replace(&id, version, &dish).await?).await?;
    Ok(answer(StatusCode::OK, item))
}

#[tracing::instrument(name = "menu.remove", skip_all)]
async fn remove(
    State(menu): State<Menu>,
    Path(id): Path<ProductId>,
    IfMatch(version): IfMatch,
) -> Result<StatusCode, Failure> {
    written(&menu, &id, menu.store.remove(&id, version).await?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What was written; the copy of it is forgotten, also when someone else's write is found.
async fn written(menu: &Menu, id: &ProductId, written: Written) -> Result<MenuItem, Failure> {
    menu.cache.forget(id.as_str()).await;
    match written {
        Written::Done(item) => Ok(item),
        Written::Changed(item) => Err(changed().with("version", item.version)),
        Written::Missing => Err(missing(id)),
    }
}
