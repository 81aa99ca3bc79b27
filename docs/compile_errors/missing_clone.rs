//! A layer that holds something which cannot be cloned, on a router.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use obs_tower::fallback::FallbackLayer;

struct Menu(String);

fn main() {
    let menu = Menu("[]".to_owned());
    let fallback = FallbackLayer::value(move |_| Ok(Response::new(Body::from(menu.0.clone()))));
    let app: Router = Router::new().route("/menu", get(async || "[]")).layer(fallback);
    drop(app);
}
