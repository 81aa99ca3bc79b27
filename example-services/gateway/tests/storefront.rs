//! The storefront over real services, asked without a socket of its own.

#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::uri::Authority;
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt;
use obs_core::environment::Environment;
use obs_core::id::IdGenerator;
use obs_core::output::Output;
use obs_core::telemetry::Telemetry;
use shop_cart::Carts;
use shop_domain::id::ProductId;
use shop_domain::menu::Dish;
use shop_domain::money::Currency;
use shop_domain::port::{MenuStore, ProductStore};
use shop_domain::product::Product;
use shop_gateway::Gateway;
use shop_kit::cached::Cached;
use shop_kit::serve::{Serving, serve};
use shop_kit::stress::Turns;
use shop_kit::upstream::Upstream;
use shop_menu::Menu;
use shop_product::{FunctionLimits, Products};
use shop_store::{MemoryCache, SqliteCarts, SqliteMenu, SqliteProducts};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tower::ServiceExt;

/// What would be markup, steer a terminal, or end an attribute, were it not escaped.
const HOSTILE: &str = "<script>alert(1)</script>\"'&<img src=x onerror=alert(2)>\u{1b}[2J";

const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
const CURL: (&str, &str) = ("user-agent", "curl/8.1.2");

/// The gateway's app before a product, a menu and a cart service; the others are away.
struct Storefront {
    app: Router,
    _services: Vec<Serving>,
    _data: TempDir,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Storefront {
    async fn new() -> Self {
        let data = tempfile::tempdir().unwrap();
        let (output, _) = Output::captured();
        let telemetry = Telemetry::builder("gateway")
            .environment(Environment::empty())
            .output(output)
            .build()
            .unwrap();
        let file = |name: &str| data.path().join(name);
        let cached = |prefix| {
            let cache = Arc::new(MemoryCache::new(100, telemetry.clock().clone()));
            Cached::new(cache, prefix, shop_product::CACHE_TTL, telemetry.recorder())
        };
        let products = SqliteProducts::open(&file("product.db")).unwrap();
        shop_product::seed(&products).await.unwrap();
        products.add(&hostile_product()).await.unwrap();
        let menu = SqliteMenu::open(&file("menu.db")).unwrap();
        shop_menu::seed(&menu).await.unwrap();
        menu.add(&id("menu-666"), &hostile_dish()).await.unwrap();
        let carts = Carts {
            store: Arc::new(SqliteCarts::open(&file("cart.db")).unwrap()),
            metrics: shop_cart::Metrics::new(telemetry.recorder()),
        };
        let (product, product_at) = served(shop_product::app(Products {
            store: Arc::new(products),
            cache: cached("product"),
            limits: FunctionLimits::default(),
        }))
        .await;
        let turns = Turns::new(telemetry.clock().clone());
        let (menu, menu_at) =
            served(shop_menu::app(Menu { store: Arc::new(menu), cache: cached("menu"), turns }))
                .await;
        let (cart, cart_at) = served(shop_cart::app(carts)).await;
        // A socket that nobody listens on any more.
        let away = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let away: Authority = away.to_string().parse().unwrap();
        let upstream = |name, at: &Authority| Upstream::new(name, at.clone(), &telemetry).unwrap();
        let gateway = Gateway {
            product: upstream("product", &product_at),
            order: upstream("order", &away),
            inventory: upstream("inventory", &away),
            cart: upstream("cart", &cart_at),
            menu: upstream("menu", &menu_at),
            payment: upstream("payment", &away),
            loyalty: upstream("loyalty", &away),
            analytics: upstream("analytics", &away),
            notification: upstream("notification", &away),
            shipping: upstream("shipping", &away),
            ids: IdGenerator::seeded(7),
        };
        let app = shop_gateway::app(gateway);
        Self { app, _services: vec![product, menu, cart], _data: data }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.app.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    async fn get(&self, path: &str, header: (&str, &str)) -> Answer {
        let request = Request::get(path).header(header.0, header.1).body(Body::empty());
        self.send(request.unwrap()).await
    }

    async fn post(&self, path: &str, cookie: &str, form: &'static str) -> Answer {
        let kind = "application/x-www-form-urlencoded";
        let request = Request::post(path).header("content-type", kind).header("cookie", cookie);
        self.send(request.header(BROWSER.0, BROWSER.1).body(Body::from(form)).unwrap()).await
    }
}

async fn served(app: Router) -> (Serving, Authority) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let serving = serve(listener, app).unwrap();
    let authority = serving.address().to_string().parse().unwrap();
    (serving, authority)
}

fn id(text: &str) -> ProductId {
    ProductId::parse(text).unwrap()
}

fn hostile_product() -> Product {
    let product_id = id("prod-666");
    Product { product_id, name: HOSTILE.into(), price_minor: 1, currency: Currency::EUR }
}

fn hostile_dish() -> Dish {
    let (name, category) = (HOSTILE.to_owned(), HOSTILE.to_owned());
    Dish { name, category, price_minor: 1, currency: Currency::EUR, available: true }
}

/// A page in which nothing foreign became markup.
fn assert_harmless(page: &Answer) {
    assert!(!page.text.contains("<script>alert"), "{}", page.text);
    assert!(!page.text.contains("<img"), "{}", page.text);
    let scripts = page.text.matches("<script").count();
    assert_eq!(scripts, page.text.matches("<script src=\"/assets/order.js").count());
}

#[tokio::test]
async fn the_front_page_shows_the_goods_to_browsers_and_to_terminals() {
    let shop = Storefront::new().await;
    let page = shop.get("/", BROWSER).await;
    assert_eq!(page.status, StatusCode::OK);
    assert_eq!(page.header(header::CONTENT_TYPE), "text/html; charset=utf-8");
    assert_eq!(page.header(header::CACHE_CONTROL), "no-cache");
    assert_eq!(page.header(header::VARY), "accept, user-agent");
    assert!(page.text.starts_with("<!DOCTYPE html>"));
    for part in ["Espresso machine", "749.00", "Skip to the content", "lang=\"en\""] {
        assert!(page.text.contains(part), "{part}");
    }
    let text = shop.get("/", CURL).await;
    assert_eq!(text.header(header::CONTENT_TYPE), "text/plain; charset=utf-8");
    assert!(text.text.contains("prod-008"), "{}", text.text);
    assert!(!text.text.contains("<!DOCTYPE") && !text.text.contains("</a>"), "{}", text.text);
    let asked = shop.get("/", ("accept", "text/plain")).await;
    assert_eq!(asked.text, text.text);
}

#[tokio::test]
async fn names_that_are_markup_are_shown_as_they_are() {
    let shop = Storefront::new().await;
    for path in ["/", "/menu", "/product/prod-666", "/product/menu-666", "/?q=alert"] {
        let page = shop.get(path, BROWSER).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(page.text.contains("&lt;script&gt;alert(1)"), "{path}: {}", page.text);
        assert_harmless(&page);
        let text = shop.get(path, CURL).await;
        assert!(!text.text.contains('\u{1b}'), "{path}: it steers the terminal");
    }
}

#[tokio::test]
async fn what_is_searched_for_is_repeated_and_never_run() {
    let shop = Storefront::new().await;
    let found = shop.get("/?q=CUP", BROWSER).await;
    assert!(
        found.text.contains("One thing is called “CUP”") && found.text.contains("Espresso cup")
    );
    assert!(!found.text.contains("Milk jug"));
    for q in [
        "%3Cscript%3Ealert(1)%3C/script%3E",
        "%22%20onfocus%3D%22alert(1)%22%20autofocus%20x%3D%22",
        "%27%3E%3Cimg%20src%3Dx%20onerror%3Dalert(2)%3E",
    ] {
        let page = shop.get(&format!("/?q={q}"), BROWSER).await;
        assert_eq!(page.status, StatusCode::OK, "{q}");
        assert!(!page.text.contains("\" onfocus"), "{}", page.text);
        assert_harmless(&page);
    }
    let long = shop.get(&format!("/?q={}", "x".repeat(101)), BROWSER).await;
    assert_eq!(long.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn pages_may_run_nothing_but_our_own_script() {
    let shop = Storefront::new().await;
    for path in ["/", "/menu", "/product/prod-001", "/cart", "/product/none", "/order/none"] {
        let page = shop.get(path, BROWSER).await;
        let policy = page.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
        assert_eq!(page.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
        for inline in [" style=", "<style", " onclick", "javascript:"] {
            assert!(!page.text.contains(inline), "{path} has {inline}");
        }
    }
}

#[tokio::test]
async fn every_field_has_a_label_and_every_page_one_heading() {
    let shop = Storefront::new().await;
    for path in ["/", "/menu", "/product/prod-001", "/cart"] {
        let page = shop.get(path, BROWSER).await.text;
        assert_eq!(page.matches("<h1").count(), 1, "{path}");
        assert_eq!(page.matches("<main").count(), 1, "{path}");
        for field in page.split("<input").skip(1).filter(|field| !field.contains("\"hidden\"")) {
            let id = field.split("id=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
            assert!(page.contains(&format!("<label for=\"{id}\"")), "{path}: {id}");
        }
        let skip = page.find("href=\"#main\"").unwrap();
        assert!(page[..skip].matches("<a ").count() == 1, "the skip link comes first");
    }
}

#[tokio::test]
async fn a_cart_is_filled_shown_and_emptied_by_forms_alone() {
    let shop = Storefront::new().await;
    let empty = shop.get("/cart", BROWSER).await;
    assert!(empty.text.contains("nothing in it"));
    let added = shop.post("/cart", "", "product_id=prod-001&quantity=2").await;
    assert_eq!((added.status, added.header(header::LOCATION)), (StatusCode::SEE_OTHER, "/cart"));
    let cookie = added.header(header::SET_COOKIE).split(';').next().unwrap().to_owned();
    let added = shop.post("/cart", &cookie, "product_id=menu-001&quantity=1").await;
    assert!(added.header(header::SET_COOKIE).starts_with(&cookie), "the name stays");
    let cart = shop.get("/cart", ("cookie", &cookie)).await;
    assert_eq!(cart.header(header::CACHE_CONTROL), "no-store");
    for part in ["Espresso cup", "25.80", "2.40", "28.20"] {
        assert!(cart.text.contains(part), "{part}: {}", cart.text);
    }
    let cleared = shop.post("/cart/clear", &cookie, "").await;
    assert_eq!(cleared.status, StatusCode::SEE_OTHER);
    assert!(shop.get("/cart", ("cookie", &cookie)).await.text.contains("nothing in it"));
}

#[tokio::test]
async fn a_form_that_is_wrong_or_foreign_is_refused_with_a_page() {
    let shop = Storefront::new().await;
    for (form, status) in [
        ("product_id=prod-001&quantity=0", StatusCode::UNPROCESSABLE_ENTITY),
        ("product_id=prod-001&quantity=x", StatusCode::UNPROCESSABLE_ENTITY),
        ("product_id=prod-001&quantity=1001", StatusCode::UNPROCESSABLE_ENTITY),
        ("quantity=1", StatusCode::UNPROCESSABLE_ENTITY),
        ("product_id=prod-999&quantity=1", StatusCode::NOT_FOUND),
        ("product_id=%3Cb%3E&quantity=1", StatusCode::NOT_FOUND),
    ] {
        let refused = shop.post("/cart", "shop_customer=ada", form).await;
        assert_eq!(refused.status, status, "{form}");
        assert!(refused.text.contains("role=\"alert\""), "{form}: {}", refused.text);
        assert_eq!(refused.header(header::CACHE_CONTROL), "no-store");
    }
    let foreign = Request::post("/cart")
        .header("sec-fetch-site", "cross-site")
        .header("cookie", "shop_customer=ada")
        .body(Body::from("product_id=prod-001&quantity=1"));
    assert_eq!(shop.send(foreign.unwrap()).await.status, StatusCode::FORBIDDEN);
    let cart = shop.get("/cart", ("cookie", "shop_customer=ada")).await;
    assert!(cart.text.contains("nothing in it"), "nothing of all that was added");
}

#[tokio::test]
async fn a_service_that_is_away_is_told_in_the_clients_own_form() {
    let shop = Storefront::new().await;
    let page = shop.get("/order/ord-1", BROWSER).await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.text.contains("Please try again in a moment"), "{}", page.text);
    let text = shop.get("/order/ord-1", CURL).await;
    assert!(text.text.contains("503: A part of the shop does not answer"), "{}", text.text);
    // The offer is shown although nobody knows how many are left.
    let offer = shop.get("/product/prod-001", BROWSER).await;
    assert!(offer.status == StatusCode::OK && offer.text.contains("Add to cart"));
    // Programs that use the API get what they got before.
    let api = shop.get("/api/orders/ord-1", CURL).await;
    assert_eq!(api.header(header::CONTENT_TYPE), "application/problem+json");
}

#[tokio::test]
async fn a_page_with_all_that_it_loads_stays_below_200_kb() {
    let shop = Storefront::new().await;
    let mut total = 0;
    for path in ["/", "/menu", "/product/prod-001", "/cart"] {
        total += shop.get(path, BROWSER).await.text.len();
    }
    for name in ["style.css", "order.js", "drawings.svg", "icon.svg"] {
        let asset = shop.get(&format!("/assets/{name}"), BROWSER).await;
        assert_eq!(asset.status, StatusCode::OK, "{name}");
        assert_eq!(asset.header(header::CACHE_CONTROL), "public, max-age=86400", "{name}");
        total += asset.text.len();
    }
    assert!(total < 200_000, "{total} bytes");
    assert_eq!(shop.get("/assets/../Cargo.toml", BROWSER).await.status, StatusCode::NOT_FOUND);
}
