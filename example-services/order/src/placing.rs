use http::{Method, StatusCode};
use obs_core::context::RequestContext;
use obs_core::span::CallSpan;
use serde::{Deserialize, Serialize};
use shop_domain::cart::{Cart, Item};
use shop_domain::id::{OrderId, UserId};
use shop_domain::menu::MenuItem;
use shop_domain::order::{Attempt, Department, Line, Order, Status, total};
use shop_domain::port::{Begun, Claimed, Placement, StoreError, Taken};
use shop_domain::product::Product;
use shop_kit::failure::Failure;
use shop_kit::observe::{about_order, about_user};
use shop_kit::upstream::{UpstreamError, UpstreamErrorKind};

use crate::Orders;
use crate::request::{What, Wish};
use crate::secret::Card;
use crate::status;

/// Places an order; returns once it is promised.
///
/// Dropping the future at any point leaves an order that is accepted, or one that
/// [`give_up`](crate::give_up) or the expiry of its reservation gives up.
#[tracing::instrument(name = "handler.CreateOrder", skip_all)]
pub(crate) async fn place(orders: &Orders, wish: Wish) -> Result<Order, Failure> {
    about_user(&wish.user_id);
    RequestContext::with_current(|context| {
        context.metadata("request", "from_cart", wish.what == What::Cart);
        context.metadata("request", "has_card", wish.card.is_some());
        context.metadata("request", "has_idempotency_key", wish.key.is_some());
    });
    // First, because by now the cart may be empty and the stock gone. Known from here on: what the
    // other services do for it can be found by it.
    let attempt = match claim(orders, &wish).await? {
        Claimed::Attempt(attempt) => attempt,
        Claimed::Taken(taken) => return repeated(taken),
    };
    tracing::info!(attempt = attempt.number, "order validated");
    let from_cart = wish.what == What::Cart;
    let items = match wish.what {
        What::Items(items) => items,
        What::Cart => read_cart(orders, &wish.user_id).await?,
    };
    let (lines, total) = price(orders, &items).await?;
    let order = Order {
        order_id: attempt.order_id.clone(),
        tenant_id: wish.tenant_id,
        user_id: wish.user_id,
        status: Status::Reserving,
        lines,
        total_minor: total.minor(),
        currency: total.currency(),
        created_at_ms: orders.clock.wall().unix_millis(),
        reason: None,
        tracking_id: None,
    };
    let number = attempt.number;
    let placement = Placement { order, attempt: number, key: wish.key, contact: wish.contact };
    if let Begun::Taken(taken) = begin(orders, &placement).await? {
        return repeated(taken);
    }
    let order = promise(orders, &attempt, &placement.order, &items, wish.card.as_ref()).await?;
    RequestContext::with_current(|context| {
        context.record("total_minor", order.total_minor);
        context.metadata("request", "lines", order.lines.len());
    });
    orders.metrics.created(&order);
    tracing::info!(total_minor = order.total_minor, "order accepted");
    if from_cart {
        clear_cart(orders, &order.user_id).await;
    }
    Ok(order)
}

/// The attempt at the order that the customer's key stands for; without a key, at a new one.
#[tracing::instrument(name = "order.claim", skip_all)]
async fn claim(orders: &Orders, wish: &Wish) -> Result<Claimed, Failure> {
    let new = new_id(orders)?;
    let now_ms = orders.clock.wall().unix_millis();
    let claimed = match &wish.key {
        Some(key) => orders.store.claim(key, &new, now_ms).await?,
        None => Claimed::Attempt(Attempt::first(new)),
    };
    if let Claimed::Attempt(attempt) = &claimed {
        about_order(&attempt.order_id, Some(&wish.user_id));
    }
    Ok(claimed)
}

fn new_id(orders: &Orders) -> Result<OrderId, Failure> {
    let unique = orders.ids.correlation_id(&orders.clock);
    OrderId::parse(&format!("ord-{}", unique.as_str()))
        .map_err(|error| Failure::status(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

/// The order of an earlier request with the same key.
fn repeated(taken: Taken) -> Result<Order, Failure> {
    match taken {
        Taken::Repeated(order) => {
            RequestContext::with_current(|context| context.record("repeated", true));
            about_order(&order.order_id, None);
            Ok(order)
        }
        Taken::InProgress => {
            let detail = "the request with this idempotency-key is still being worked on";
            Err(Failure::conflict(detail).retry_after(std::time::Duration::from_secs(1)))
        }
        Taken::Reused => {
            Err(Failure::unprocessable("this idempotency-key was used for another request"))
        }
    }
}

#[tracing::instrument(name = "order.read_cart", skip_all)]
async fn read_cart(orders: &Orders, user: &UserId) -> Result<Vec<Item>, Failure> {
    let path = format!("/v1/cart/{user}");
    let cart: Cart = orders.cart.call(Method::GET, &path, None::<&()>).await?;
    if cart.items.is_empty() {
        return Err(Failure::unprocessable("the cart is empty"));
    }
    Ok(cart.items)
}

#[derive(Deserialize)]
struct Products {
    products: Vec<Product>,
}

#[derive(Deserialize)]
struct Items {
    items: Vec<MenuItem>,
}

#[tracing::instrument(name = "order.price", skip_all)]
async fn price(
    orders: &Orders,
    items: &[Item],
) -> Result<(Vec<Line>, shop_domain::money::Money), Failure> {
    let products = prices(orders, items).await?;
    let mut lines = Vec::with_capacity(items.len());
    let mut currency = None;
    for Item { product_id, quantity } in items {
        let product = products.iter().find(|product| product.product_id == *product_id);
        let product = product.ok_or_else(|| {
            Failure::unprocessable(format!("there is no product {product_id}"))
                .with("product_id", product_id.as_str())
        })?;
        if *currency.get_or_insert(product.currency) != product.currency {
            return Err(Failure::unprocessable("the products are priced in several currencies"));
        }
        lines.push(Line {
            product_id: product_id.clone(),
            quantity: *quantity,
            unit_price_minor: product.price_minor,
        });
    }
    let sum = currency.and_then(|currency| total(&lines, currency));
    let sum = sum.ok_or_else(|| Failure::unprocessable("the total is too large"))?;
    Ok((lines, sum))
}

/// The products, and the items of the menu, that `items` name: those that can be ordered.
async fn prices(orders: &Orders, items: &[Item]) -> Result<Vec<Product>, Failure> {
    let of = |department| {
        let ids = items.iter().filter(move |item| Department::of(&item.product_id) == department);
        let ids: Vec<_> = ids.map(|item| item.product_id.as_str()).collect();
        // Of the characters of ids only the plus sign means something else in a query.
        ids.join(",").replace('+', "%2B")
    };
    let (goods, cafe) = (of(Department::Goods), of(Department::Cafe));
    let mut found = Vec::new();
    if !goods.is_empty() {
        let path = format!("/products?ids={goods}");
        let Products { products } = orders.product.call(Method::GET, &path, None::<&()>).await?;
        found.extend(products);
    }
    if !cafe.is_empty() {
        let path = format!("/menu/items?ids={cafe}");
        let Items { items } = orders.menu.call(Method::GET, &path, None::<&()>).await?;
        let available = items.into_iter().filter(|item| item.dish.available);
        found.extend(available.map(|item| Product {
            product_id: item.item_id,
            name: item.dish.name,
            price_minor: item.dish.price_minor,
            currency: item.dish.currency,
        }));
    }
    Ok(found)
}

#[tracing::instrument(name = "order.begin", skip_all)]
async fn begin(orders: &Orders, placement: &Placement) -> Result<Begun, StoreError> {
    CallSpan::database("sqlite", "INSERT", "orders").observe(orders.store.begin(placement)).await
}

#[tracing::instrument(name = "order.accept", skip_all)]
async fn accept(
    orders: &Orders,
    attempt: &Attempt,
    order: &Order,
) -> Result<Option<Order>, StoreError> {
    let event = status::created(&orders.announcer, order);
    let accept = orders.store.accept(attempt, &event);
    CallSpan::database("sqlite", "UPDATE", "orders").observe(accept).await
}

/// Hands the card over, reserves the stock and accepts the order, or undoes what was done.
async fn promise(
    orders: &Orders,
    attempt: &Attempt,
    order: &Order,
    items: &[Item],
    card: Option<&Card>,
) -> Result<Order, Failure> {
    if let Some(card) = card
        && let Err(error) = hand_over(orders, &attempt.order_id, card).await
    {
        give_up(orders, attempt, false).await;
        return Err(refused(error));
    }
    if let Err(error) = reserve(orders, attempt, items).await {
        orders.metrics.reservation_failed(&error);
        give_up(orders, attempt, may_have_reserved(&error)).await;
        return Err(refused(error));
    }
    match accept(orders, attempt, order).await {
        Ok(Some(order)) => Ok(order),
        Ok(None) => {
            give_up(orders, attempt, true).await;
            Err(Failure::unavailable("placing the order took too long"))
        }
        // Whether it was accepted is not known; the expiry of the reservation will find out.
        Err(error) => Err(error.into()),
    }
}

#[derive(Serialize)]
struct PaymentMethod<'a> {
    card_number: &'a str,
}

#[derive(Deserialize)]
struct HandedOver {}

/// Gives the card to the payment service, which keeps its brand and last four digits.
#[tracing::instrument(name = "order.hand_over_card", skip_all)]
async fn hand_over(orders: &Orders, id: &OrderId, card: &Card) -> Result<(), UpstreamError> {
    let method = PaymentMethod { card_number: card.expose() };
    let path = format!("/payments/{id}/method");
    let HandedOver {} = orders.payment.call(Method::PUT, &path, Some(&method)).await?;
    Ok(())
}

#[derive(Serialize)]
struct Wanted<'a> {
    #[serde(flatten)]
    attempt: &'a Attempt,
    lines: &'a [Item],
}

#[derive(Deserialize)]
struct Kept {}

#[tracing::instrument(name = "order.reserve", skip_all)]
async fn reserve(orders: &Orders, attempt: &Attempt, items: &[Item]) -> Result<(), UpstreamError> {
    let wanted = Wanted { attempt, lines: items };
    let Kept {} = orders.inventory.call(Method::POST, "/inventory/reserve", Some(&wanted)).await?;
    Ok(())
}

/// Whether stock may be kept although the call failed.
fn may_have_reserved(error: &UpstreamError) -> bool {
    !matches!(error.kind(), UpstreamErrorKind::Refused(status, _) if status.is_client_error())
}

/// What the inventory service refuses, the customer is told; its troubles are not.
fn refused(error: UpstreamError) -> Failure {
    let UpstreamErrorKind::Refused(
        status @ (StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY),
        problem,
    ) = error.kind()
    else {
        return error.into();
    };
    let detail = problem.get("detail").and_then(|detail| detail.as_str()).unwrap_or("out of stock");
    let mut failure = Failure::status(*status, detail);
    for member in ["product_id", "available"] {
        if let Some(value) = problem.get(member) {
            failure = failure.with(member, value.clone());
        }
    }
    failure
}

/// Undoes what was begun, then the reservation. What fails here is done when the reservation expires.
#[tracing::instrument(name = "order.give_up", skip_all)]
pub(crate) async fn give_up(orders: &Orders, attempt: &Attempt, reserved: bool) {
    let id = &attempt.order_id;
    match orders.store.abandon(attempt).await {
        Ok(true) if reserved => {
            if let Err(error) = release(orders, attempt).await {
                tracing::warn!(order_id = %id, %error, "stock is kept until it expires");
            }
        }
        // Accepted by now, or nothing to give back.
        Ok(_) => {}
        Err(error) => tracing::error!(order_id = %id, %error, "order is not given up"),
    }
}

#[derive(Deserialize)]
struct Released {}

pub(crate) async fn release(orders: &Orders, attempt: &Attempt) -> Result<(), UpstreamError> {
    let path = "/inventory/release";
    let Released {} = orders.inventory.call(Method::POST, path, Some(attempt)).await?;
    Ok(())
}

#[tracing::instrument(name = "order.clear_cart", skip_all)]
async fn clear_cart(orders: &Orders, user: &UserId) {
    let request = http::Request::delete(format!("/v1/cart/{user}")).body(Default::default());
    let cleared = match request {
        Ok(request) => orders.cart.send(request).await.map(|response| response.status()),
        Err(_) => return,
    };
    // The order stands; a cart that is still full is a nuisance.
    match cleared {
        Ok(status) if status.is_success() => {}
        Ok(status) => tracing::warn!(status = status.as_u16(), "cart is not cleared"),
        Err(error) => tracing::warn!(%error, "cart is not cleared"),
    }
}
