//! A request through an axum router in the process: bare, then with the suite's layers.

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::response::IntoResponse;
use axum::routing::get;
use http::{Request, header};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::Job;

/// The jobs of this file.
pub(super) fn jobs() -> Vec<Job> {
    vec![router("http/bare", bare())]
}

/// A route with a parameter that answers 200 and a small JSON body.
fn bare() -> Router {
    async fn order(Path(id): Path<u64>) -> impl IntoResponse {
        let body = format!("{{\"order_id\":{id},\"status\":\"PENDING\"}}");
        ([(header::CONTENT_TYPE, "application/json")], body)
    }
    Router::new().route("/orders/{id}", get(order))
}

/// Sends one request after the other through `router` and reads each body to its end.
fn router(name: &'static str, router: Router) -> Job {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a current-thread runtime needs nothing that could be missing");
    Job::new(name, move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                let response = router.clone().oneshot(request()).await;
                let response = response.unwrap_or_else(|infallible| match infallible {});
                let body = response.into_body().collect().await.expect("the body is in memory");
                std::hint::black_box(body.to_bytes());
            }
        });
    })
}

/// What a browser behind a load balancer sends.
fn request() -> Request<Body> {
    Request::get("/orders/4711")
        .header("host", "shop.example")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/145.0")
        .header("accept", "application/json")
        .header("x-amzn-trace-id", "Root=1-691fb3c0-4bf92f3577b34da6a3ce929d")
        .body(Body::empty())
        .expect("the parts are valid")
}
