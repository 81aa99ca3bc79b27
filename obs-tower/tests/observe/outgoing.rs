//! Outgoing calls with the clients that people use, to a real server over a socket.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::any;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use obs_core::context::RequestContext;
use obs_core::deadline::Deadline;
use obs_core::propagate::TrustedHosts;
use obs_core::trace::{AttributeValue, SpanKind, SpanRecord};
use obs_tower::client::{ClientLayer, LogicalCallLayer};
use obs_tower::retry::{Backoff, Retry, RetryConfig, RetryLayer};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};
use tracing::Level;

use crate::support::Bench;
use crate::wire::Server;

/// What a callee was told.
type Told = BTreeMap<String, String>;

async fn tell(headers: HeaderMap) -> axum::Json<Told> {
    let told = headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    axum::Json(told.collect())
}

/// A request of a tenant, with two seconds left.
fn context(bench: &Bench) -> RequestContext {
    let deadline = Deadline::after(bench.clock.clock().now(), Duration::from_secs(2));
    let builder = RequestContext::builder(&bench.telemetry).deadline(deadline).sampled(true);
    let context = builder.build();
    context.set_tenant_id("acme");
    context
}

/// Calls `url` through `transport` within a request.
async fn call<S, Req, Res>(
    bench: &Bench,
    hosts: TrustedHosts,
    transport: S,
    url: String,
) -> Result<Bytes, S::Error>
where
    S: Service<Request<Req>, Response = Response<Res>>,
    Req: From<&'static str>,
    Res: Body<Data = Bytes, Error: Debug>,
{
    let builder = ClientLayer::builder(bench.telemetry.clone()).line_level(Level::INFO);
    let client = builder.trusted_hosts(hosts).peer_name("inventory").build().layer(transport);
    let request = Request::post(url).body("order".into()).unwrap();
    let response = context(bench).scope(client.oneshot(request)).await?;
    Ok(response.into_body().collect().await.unwrap().to_bytes())
}

async fn told<S, Req, Res>(bench: &Bench, hosts: TrustedHosts, transport: S) -> Told
where
    S: Service<Request<Req>, Response = Response<Res>, Error: Debug>,
    Req: From<&'static str>,
    Res: Body<Data = Bytes, Error: Debug>,
{
    let server = Server::start(Router::new().route("/stock", any(tell))).await;
    let answer = call(bench, hosts, transport, server.url("/stock")).await.unwrap();
    server.stop().await;
    serde_json::from_slice(&answer).unwrap()
}

/// An address at which every connection is closed at once.
async fn closing() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    format!("http://{address}/stock")
}

fn number(span: &SpanRecord, key: &str) -> Option<i64> {
    span.attributes.get(key).and_then(AttributeValue::as_i64)
}

/// Whatever client carries it, a call is observed and tells the callee what its host may know.
async fn is_observed<S, Req, Res>(transport: impl Fn() -> S)
where
    S: Service<Request<Req>, Response = Response<Res>, Error: Debug>,
    Req: From<&'static str>,
    Res: Body<Data = Bytes, Error: Debug>,
{
    let bench = Bench::new();
    let ours = told(&bench, TrustedHosts::loopback(), transport()).await;
    let span = bench.span();
    assert_eq!(span.kind, SpanKind::Client);
    let parent = format!("00-{}-{}-", span.trace_id, span.span_id);
    assert!(ours["traceparent"].starts_with(&parent), "{ours:?}");
    assert_eq!(
        (ours["x-tenant-id"].as_str(), ours["x-request-timeout"].as_str()),
        ("acme", "2000")
    );
    assert_eq!(number(&span, "http.response.status_code"), Some(200));
    assert!(number(&span, "server.port").is_some_and(|port| port > 0));
    let line = &bench.lines()[0];
    assert_eq!((&line["peer"], &line["outcome"]), (&"inventory".into(), &"success".into()));

    let stranger = told(&Bench::new(), TrustedHosts::none(), transport()).await;
    assert!(stranger.contains_key("traceparent") && stranger.contains_key("x-correlation-id"));
    assert!(!stranger.contains_key("x-tenant-id") && !stranger.contains_key("x-request-timeout"));

    let bench = Bench::new();
    let failed = call(&bench, TrustedHosts::none(), transport(), closing().await).await;
    assert!(failed.is_err());
    assert_eq!(bench.lines()[0]["outcome"], "service_error");
    assert!(bench.span().status.is_error());
}

#[tokio::test]
async fn calls_of_hyper_utils_client_are_observed() {
    is_observed(|| Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>()).await;
}

#[tokio::test]
async fn calls_of_reqwest_are_observed() {
    is_observed(|| {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        service_fn(move |request: Request<reqwest::Body>| {
            let client = client.clone();
            async move { client.execute(request.try_into()?).await.map(Response::from) }
        })
    })
    .await;
}

#[tokio::test]
async fn the_callee_is_told_the_earlier_of_the_requests_deadline_and_that_of_a_layer() {
    for (limit, expected) in [(300, "300"), (30_000, "2000")] {
        let bench = Bench::new();
        let deadline = Deadline::after(bench.clock.clock().now(), Duration::from_millis(limit));
        let hyper = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let limited = service_fn(move |request: Request<Full<Bytes>>| {
            let hyper = hyper.clone();
            async move { hyper.request(request).await }
        });
        let mut call = Box::pin(told(&bench, TrustedHosts::loopback(), limited));
        let told = std::future::poll_fn(|task| {
            let _entered = deadline.enter();
            call.as_mut().poll(task)
        })
        .await;
        assert_eq!(told["x-request-timeout"], expected);
    }
}

#[tokio::test]
async fn what_a_retry_repeats_is_one_logical_span_with_a_span_for_each_attempt() {
    let bench = Bench::new();
    let calls = Arc::new(AtomicUsize::new(0));
    let app = {
        let calls = Arc::clone(&calls);
        async move |headers: HeaderMap| {
            let call = calls.fetch_add(1, Ordering::Relaxed) + 1;
            assert_eq!(headers["x-request-attempt"], call.to_string());
            if call < 3 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
        }
    };
    let server = Server::start(Router::new().route("/stock", any(app))).await;
    let backoff = Backoff::exponential(Duration::from_millis(1), Duration::from_millis(2));
    let config = RetryConfig::new().max_attempts(5).backoff(backoff);
    let retry = Retry::builder("inventory").config(config).clock(bench.clock.clock());
    let retry = retry.build().unwrap();
    let client = ServiceBuilder::new()
        .layer(LogicalCallLayer::new(bench.telemetry.clone(), "reserve stock"))
        .layer(RetryLayer::new(retry))
        .layer(ClientLayer::new(bench.telemetry.clone()))
        .service(Client::builder(TokioExecutor::new()).build_http());
    let request = Request::put(server.url("/stock")).body(Full::from("order")).unwrap();
    let context = context(&bench);
    let response = context.scope(client.oneshot(request)).await.unwrap();
    assert_eq!((response.status(), calls.load(Ordering::Relaxed)), (StatusCode::OK, 3));
    drop(response);
    server.stop().await;

    let spans = bench.spans();
    let (logical, attempts): (Vec<_>, Vec<_>) =
        spans.iter().partition(|span| span.kind == SpanKind::Internal);
    assert_eq!((logical.len(), attempts.len()), (1, 3));
    assert_eq!(logical[0].parent_span_id, Some(context.span_id()));
    assert_eq!(
        (logical[0].name.as_str(), number(logical[0], "attempts")),
        ("reserve stock", Some(3))
    );
    assert!(attempts.iter().all(|span| span.parent_span_id == Some(logical[0].span_id)));
    let of = |key| attempts.iter().map(|span| number(span, key)).collect::<Vec<_>>();
    assert_eq!(of("http.response.status_code"), [Some(503), Some(503), Some(200)]);
    assert_eq!(of("http.request.resend_count"), [None, Some(1), Some(2)]);
}
