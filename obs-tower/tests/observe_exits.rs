//! Every way a request can end leaves one line, one metric update and one span end that agree.

mod support;

use std::convert::Infallible;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use obs_tower::observe::ObserveLayer;
use support::Bench;
use tower::{Layer, ServiceExt, service_fn};

#[tokio::test]
async fn a_completed_response_is_a_success() {
    let bench = Bench::new();
    let layer = ObserveLayer::new(bench.telemetry.clone());
    let service = layer.layer(service_fn(async |_: Request<()>| {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"hello"))))
    }));
    let response = service.oneshot(Request::get("/hello").body(()).unwrap()).await.unwrap();
    let id = response.headers()["x-correlation-id"].to_str().unwrap().to_owned();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(body, "hello");

    let line = bench.request_line();
    assert_eq!(line["outcome"], "success");
    assert_eq!(line["status"], 200);
    assert_eq!(line["response_bytes"], 5);
    assert_eq!(line["correlation_id"], id);
    assert_eq!(line["Requests"], 1);
    assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Namespace"], "orders");
    assert_eq!(layer.in_flight().count(), 0);
}
