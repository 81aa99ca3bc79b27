//! Requests through a router in the process.

use axum::Router;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::TENANT;

/// What a browser behind a load balancer and a gateway sends.
pub fn request() -> Request<Body> {
    Request::get("/orders/4711")
        .header("host", "shop.example")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/145.0")
        .header("accept", "application/json")
        .header("x-amzn-trace-id", "Root=1-691fb3c0-4bf92f3577b34da6a3ce929d")
        .header(TENANT, "acme")
        .body(Body::empty())
        .expect("the parts are valid")
}

/// Sends one request after the other through `router` and reads each body to its end.
pub fn calls(router: Router) -> impl FnMut(u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a current-thread runtime needs nothing that could be missing");
    move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                call(router.clone(), request()).await;
            }
        });
    }
}

/// Sends one request and reads the body to its end.
pub async fn call(router: Router, request: Request<Body>) {
    let response = router.oneshot(request).await;
    let response = response.unwrap_or_else(|infallible| match infallible {});
    let body = response.into_body().collect().await.expect("the body is in memory");
    std::hint::black_box(body.to_bytes());
}
