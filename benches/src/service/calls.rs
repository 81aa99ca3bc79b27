//! Requests through a router in the process.

use axum::Router;
use axum::body::Body;
use http::{HeaderValue, Request};
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::TENANT;

/// How many traces there are. As many requests in a row are sampled alike, wherever they begin.
const TRACES: u64 = 1_000;

/// The traces of requests, by turns, as a load balancer begins them.
#[derive(Debug)]
pub struct Traces {
    headers: Vec<HeaderValue>,
    next: usize,
}

impl Default for Traces {
    /// The same traces each time.
    fn default() -> Self {
        let header = |number: u64| {
            // An odd factor spreads the numbers over all bits that a sampler may look at.
            let bits = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let root = format!("Root=1-691fb3c0-4bf92f35{bits:016x}");
            HeaderValue::try_from(root).expect("visible ASCII")
        };
        Self { headers: (1..=TRACES).map(header).collect(), next: 0 }
    }
}

impl Traces {
    /// What a browser behind the load balancer and a gateway sends.
    pub fn request(&mut self) -> Request<Body> {
        self.next = (self.next + 1) % self.headers.len();
        request(&self.headers[self.next])
    }
}

fn request(trace: &HeaderValue) -> Request<Body> {
    Request::get("/orders/4711")
        .header("host", "shop.example")
        .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/145.0")
        .header("accept", "application/json")
        .header("x-amzn-trace-id", trace)
        .header(TENANT, "acme")
        .body(Body::empty())
        .expect("the parts are valid")
}

/// Sends one request after the other through `router` and reads each body to its end.
pub fn calls(router: Router) -> impl FnMut(u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a current-thread runtime needs nothing that could be missing");
    let mut traces = Traces::default();
    move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                call(router.clone(), traces.request()).await;
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

#[cfg(test)]
mod tests {
    use obs_tower::observe::ObserveLayer;

    use super::*;
    use crate::service::bare;
    use crate::service::telemetry::telemetry;

    #[test]
    fn the_share_that_is_to_be_sampled_is_sampled() {
        let telemetry = telemetry(0.05);
        calls(bare().layer(ObserveLayer::new(telemetry.clone())))(TRACES);
        let spans = telemetry.report().spans;
        assert_eq!(spans.created, TRACES);
        let sampled = spans.created - spans.sampled_out;
        assert!((40..=60).contains(&sampled), "{sampled} of {TRACES}");
    }
}
