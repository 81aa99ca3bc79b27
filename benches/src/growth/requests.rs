//! Routes, headers, and requests at once: bare and observed.

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{HeaderName, HeaderValue, Request};
use obs_ratelimit::Headers;
use obs_tower::observe::ObserveLayer;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use super::{Axis, Series};
use crate::service::telemetry::telemetry;
use crate::service::{Traces, bare, call, calls, guard, order};

/// Routes of which one is called.
pub(super) fn routes() -> Axis {
    Axis {
        name: "routes",
        points: &[1, 10, 100, 1_000],
        series: vec![
            Series::new("bare", |routes| calls(with_routes(routes))),
            Series::new("observed", |routes| calls(observed(with_routes(routes)))),
        ],
    }
}

fn with_routes(routes: u64) -> Router {
    let others = (1..routes).map(|other| format!("/others{other}/{{id}}/parts"));
    others.fold(bare(), |router, path| router.route(&path, get(order)))
}

/// Further headers of a request.
pub(super) fn headers() -> Axis {
    Axis {
        name: "headers",
        points: &[0, 10, 20, 40, 80],
        series: vec![
            Series::new("bare", |headers| calls_with(bare(), headers)),
            Series::new("observed", |headers| calls_with(observed(bare()), headers)),
        ],
    }
}

fn calls_with(router: Router, headers: u64) -> impl FnMut(u64) {
    let name = |number| HeaderName::try_from(format!("x-other-{number}")).expect("it is a token");
    let names: Vec<HeaderName> = (0..headers).map(name).collect();
    let mut traces = Traces::default();
    calls_of(router, move |_| {
        let mut request = traces.request();
        let value = HeaderValue::from_static("nothing of interest");
        let headers = names.iter().map(|name| (name.clone(), value.clone()));
        request.headers_mut().extend(headers);
        request
    })
}

/// Sends the requests that `make` makes of their number, one after the other.
pub(super) fn calls_of(
    router: Router,
    mut make: impl FnMut(u64) -> Request<Body>,
) -> impl FnMut(u64) {
    let runtime = runtime();
    let mut sent = 0;
    move |times| {
        runtime.block_on(async {
            for _ in 0..times {
                call(router.clone(), make(sent)).await;
                sent += 1;
            }
        });
    }
}

/// Requests that are in the handler at the same time.
pub(super) fn concurrent() -> Axis {
    let guarded = || observed(waiting().layer(guard(Headers::none())));
    Axis {
        name: "concurrent requests",
        points: &[1, 10, 100, 1_000, 10_000],
        series: vec![
            Series::new("bare", |at_once| calls_at_once(waiting(), at_once)),
            Series::new("observed", |at_once| calls_at_once(observed(waiting()), at_once)),
            Series::new("chain", move |at_once| calls_at_once(guarded(), at_once)),
        ],
    }
}

/// A handler that lets the others begin before it answers.
fn waiting() -> Router {
    async fn wait() -> &'static str {
        tokio::task::yield_now().await;
        "waited"
    }
    Router::new().route("/orders/{id}", get(wait))
}

/// Begins `at_once` requests, waits for all of them, begins anew.
pub(super) fn calls_at_once(router: Router, at_once: u64) -> impl FnMut(u64) {
    let (runtime, mut traces) = (runtime(), Traces::default());
    move |times| {
        runtime.block_on(async {
            let mut left = times;
            while left > 0 {
                let mut batch = JoinSet::new();
                for _ in 0..at_once.min(left) {
                    batch.spawn(call(router.clone(), traces.request()));
                }
                batch.join_all().await;
                left = left.saturating_sub(at_once);
            }
        });
    }
}

fn observed(router: Router) -> Router {
    router.layer(ObserveLayer::new(telemetry(1.0)))
}

fn runtime() -> Runtime {
    let runtime = Builder::new_current_thread().enable_time().build();
    runtime.expect("a current-thread runtime needs nothing that could be missing")
}
