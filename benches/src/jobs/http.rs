//! A request through an axum router in the process: bare, then with the suite's layers.

use axum::Router;
use axum::body::Body;
use axum::extract::Path;
use axum::response::IntoResponse;
use axum::routing::get;
use http::{Request, header};
use http_body_util::BodyExt;
use obs_tower::observe::ObserveLayer;
use std::task::{Context, Poll};
use tower::ServiceExt;

use super::telemetry::telemetry;
use crate::Job;

/// The jobs of this file.
pub(super) fn jobs() -> Vec<Job> {
    vec![
        Job::new("http/bare", || run(bare())),
        Job::new("http/pass-through", || run(bare().layer(PassThrough))).beyond("http/bare"),
        observed("observed/every request sampled", 1.0, 1_200),
        observed("observed/5 % sampled", 0.05, 1_000).unsteady(),
        observed("observed/none sampled", 0.0, 1_000),
    ]
}

/// A route with a parameter that answers 200 and a small JSON body.
fn bare() -> Router {
    async fn order(Path(id): Path<u64>) -> impl IntoResponse {
        let body = format!("{{\"order_id\":{id},\"status\":\"PENDING\"}}");
        ([(header::CONTENT_TYPE, "application/json")], body)
    }
    Router::new().route("/orders/{id}", get(order))
}

/// The route behind the observing layer, with line, metrics and span all on.
fn observed(name: &'static str, ratio: f64, target_ns: u64) -> Job {
    let start = move || run(bare().layer(ObserveLayer::new(telemetry(ratio))));
    Job::new(name, start).beyond("http/bare").within(100_000, target_ns)
}

/// A layer that adds nothing: what any layer costs under axum.
#[derive(Clone, Copy, Debug)]
struct PassThrough;

impl<S> tower_layer::Layer<S> for PassThrough {
    type Service = Passed<S>;

    fn layer(&self, inner: S) -> Passed<S> {
        Passed(inner)
    }
}

#[derive(Clone, Debug)]
struct Passed<S>(S);

impl<S: tower_service::Service<R>, R> tower_service::Service<R> for Passed<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: R) -> S::Future {
        self.0.call(request)
    }
}

/// Sends one request after the other through `router` and reads each body to its end.
fn run(router: Router) -> impl FnMut(u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a current-thread runtime needs nothing that could be missing");
    move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                let response = router.clone().oneshot(request()).await;
                let response = response.unwrap_or_else(|infallible| match infallible {});
                let body = response.into_body().collect().await.expect("the body is in memory");
                std::hint::black_box(body.to_bytes());
            }
        });
    }
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
