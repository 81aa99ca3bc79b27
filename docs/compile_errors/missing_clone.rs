//! A layer that holds something which cannot be cloned, on a router.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use obs_tower::fallback::FallbackLayer;

struct Menu(String);

impl Menu {
    fn response(&self) -> Response {
        Response::new(Body::from(self.0.clone()))
    }
}

fn main() {
    let menu = Menu("[]".to_owned());
    let fallback = FallbackLayer::value(move |_| Ok(menu.response()));
    let app: Router = Router::new().route("/menu", get(async || "[]")).layer(fallback);
    drop(app);
}
