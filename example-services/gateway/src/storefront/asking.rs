//! What the pages ask the services for.

use bytes::Bytes;
use http::{Method, Request, header};
use serde::Deserialize;
use serde_json::{Value, json};
use shop_domain::cart::Cart;
use shop_domain::id::{OrderId, ProductId, UserId};
use shop_domain::menu::MenuItem;
use shop_domain::money::Money;
use shop_domain::order::{Department, Order, Transition};
use shop_domain::product::Product;
use shop_domain::stock::Level;
use shop_kit::observe::about_order;
use shop_kit::upstream::{UpstreamError, UpstreamErrorKind};

use crate::Gateway;

/// Something that can be bought, from either department.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) id: ProductId,
    pub(crate) name: String,
    /// The part of the menu; nothing for goods.
    pub(crate) category: String,
    pub(crate) price: Money,
    pub(crate) available: bool,
}

impl From<Product> for Offer {
    fn from(product: Product) -> Self {
        let price = product.price();
        let Product { product_id: id, name, .. } = product;
        Self { id, name, category: String::new(), price, available: true }
    }
}

impl From<MenuItem> for Offer {
    fn from(MenuItem { item_id: id, dish, .. }: MenuItem) -> Self {
        let price = dish.price();
        Self { id, name: dish.name, category: dish.category, price, available: dish.available }
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Goods {
    pub(crate) products: Vec<Product>,
    pub(crate) next: Option<ProductId>,
}

#[derive(Debug, Deserialize)]
struct MenuPage {
    items: Vec<MenuItem>,
}

#[derive(Debug, Deserialize)]
struct History {
    history: Vec<Transition>,
}

const NOTHING: Option<&()> = None;

/// A request that cannot be written, or an answer that cannot be read.
const fn garbled() -> UpstreamError {
    UpstreamError::new("gateway", UpstreamErrorKind::Garbled)
}

/// A text as it may stand in a query.
fn encoded(pairs: &[(&str, &str)]) -> Result<String, UpstreamError> {
    serde_urlencoded::to_string(pairs).map_err(|_| garbled())
}

impl Gateway {
    /// The goods whose names contain `q`, or a page of all.
    pub(crate) async fn goods(&self, q: &str, after: &str) -> Result<Goods, UpstreamError> {
        let query = match (q, after) {
            ("", "") => String::new(),
            ("", after) => encoded(&[("after", after)])?,
            (q, _) => encoded(&[("q", q)])?,
        };
        self.product.call(Method::GET, &format!("/products?{query}"), NOTHING).await
    }

    /// The whole menu, as far as it fits on a page.
    pub(crate) async fn menu(&self) -> Result<Vec<Offer>, UpstreamError> {
        let page: MenuPage = self.menu.call(Method::GET, "/menu/items", NOTHING).await?;
        Ok(page.items.into_iter().map(Offer::from).collect())
    }

    /// One offer.
    pub(crate) async fn offer(&self, id: &ProductId) -> Result<Offer, UpstreamError> {
        match Department::of(id) {
            Department::Goods => {
                let path = format!("/products/{id}");
                self.product.call::<Product>(Method::GET, &path, NOTHING).await.map(Offer::from)
            }
            Department::Cafe => {
                let path = format!("/menu/items/{id}");
                self.menu.call::<MenuItem>(Method::GET, &path, NOTHING).await.map(Offer::from)
            }
        }
    }

    /// Those of `ids` that are still on offer.
    pub(crate) async fn offers(
        &self,
        ids: impl Iterator<Item = &ProductId>,
    ) -> Result<Vec<Offer>, UpstreamError> {
        let (dishes, goods): (Vec<_>, Vec<_>) =
            ids.map(ProductId::as_str).partition(|id| id.starts_with("menu-"));
        let mut offers = Vec::new();
        if !goods.is_empty() {
            let path = format!("/products?ids={}", goods.join(","));
            let page: Goods = self.product.call(Method::GET, &path, NOTHING).await?;
            offers.extend(page.products.into_iter().map(Offer::from));
        }
        if !dishes.is_empty() {
            let path = format!("/menu/items?ids={}", dishes.join(","));
            let page: MenuPage = self.menu.call(Method::GET, &path, NOTHING).await?;
            offers.extend(page.items.into_iter().map(Offer::from));
        }
        Ok(offers)
    }

    /// How many can be had; nothing when that cannot be told.
    pub(crate) async fn stock(&self, id: &ProductId) -> Option<u64> {
        let path = format!("/inventory/{id}");
        let level = self.inventory.call::<Level>(Method::GET, &path, NOTHING).await.ok()?;
        Some(level.available())
    }

    pub(crate) async fn cart(&self, user: &UserId) -> Result<Cart, UpstreamError> {
        self.cart.call(Method::GET, &format!("/v1/cart/{user}"), NOTHING).await
    }

    pub(crate) async fn add(
        &self,
        user: &UserId,
        id: &ProductId,
        quantity: u32,
    ) -> Result<(), UpstreamError> {
        let item = json!({"product_id": id, "quantity": quantity});
        let path = format!("/v1/cart/{user}");
        self.cart.call::<Value>(Method::POST, &path, Some(&item)).await.map(drop)
    }

    pub(crate) async fn clear(&self, user: &UserId) -> Result<(), UpstreamError> {
        let request = Request::delete(format!("/v1/cart/{user}")).body(Bytes::new());
        self.cart.exchange(request.map_err(|_| garbled())?).await.map(drop)
    }

    /// Orders what the cart holds; with the same key once, however often it is asked for.
    pub(crate) async fn order(&self, key: &str, order: &Value) -> Result<Order, UpstreamError> {
        let request = Request::post("/orders")
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", key)
            .body(Bytes::from(order.to_string()));
        let answer = self.order.exchange(request.map_err(|_| garbled())?).await?;
        serde_json::from_slice(&answer).map_err(|_| garbled())
    }

    /// An order and the steps of its life.
    pub(crate) async fn placed(
        &self,
        id: &OrderId,
    ) -> Result<(Order, Vec<Transition>), UpstreamError> {
        about_order(id, None);
        let path = format!("/orders/{id}");
        let order: Order = self.order.call(Method::GET, &path, NOTHING).await?;
        let path = format!("/orders/{id}/history");
        let History { history } = self.order.call(Method::GET, &path, NOTHING).await?;
        Ok((order, history))
    }
}
