//! What an outgoing call leaves behind, and what it tells the callee.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use obs_core::context::RequestContext;
use obs_core::deadline::Deadline;
use obs_core::propagate::{Propagators, TrustPolicy, TrustedHosts};
use obs_core::trace::{AttributeValue, SpanKind, SpanRecord};
use obs_tower::client::{ClientLayer, ClientLayerBuilder, LogicalCallLayer};
use tower::{Layer, Service, ServiceExt, service_fn};
use tracing::Level;

use crate::support::{Bench, Broken, Script, Step, Tally};

/// Calls `uri` as a request with a tenant and two seconds left would, half a second after it came;
/// gives what the callee sees.
async fn called(
    bench: &Bench,
    uri: &str,
    change: impl FnOnce(ClientLayerBuilder) -> ClientLayerBuilder,
) -> HeaderMap {
    let layer = change(ClientLayer::builder(bench.telemetry.clone())).build();
    let seen = Arc::new(Mutex::new(HeaderMap::new()));
    let service = layer.layer(service_fn({
        let (seen, clock) = (seen.clone(), bench.clock.clone());
        move |request: Request<()>| {
            *seen.lock().unwrap() = request.headers().clone();
            clock.advance(Duration::from_millis(12));
            let body = Full::new(Bytes::from_static(b"stock"));
            async { Ok::<_, Infallible>(Response::builder().status(409).body(body).unwrap()) }
        }
    }));
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("x-correlation-id", "corr-1"),
        ("x-tenant-id", "acme"),
        ("x-request-timeout", "2000"),
    ] {
        headers.insert(name, value.parse().unwrap());
    }
    let propagators = Propagators::default();
    let extracted = propagators.extract(&headers, &TrustPolicy::internal());
    let context = RequestContext::builder(&bench.telemetry)
        .extracted(extracted, bench.clock.clock().now())
        .sampled(true)
        .build();
    context.annotate_all("order_id", "o-1");
    bench.clock.advance(Duration::from_millis(500));
    let response =
        context.scope(service.oneshot(Request::get(uri).body(()).unwrap())).await.unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "stock");
    seen.lock().unwrap().clone()
}

fn text<'a>(span: &'a SpanRecord, key: &str) -> Option<&'a str> {
    span.attributes.get(key).and_then(AttributeValue::as_str)
}

#[tokio::test]
async fn a_trusted_callee_continues_the_trace_and_is_told_all() {
    let bench = Bench::new();
    let headers = called(&bench, "http://localhost:8103/inventory/7?token=secret", |b| b).await;
    let span = bench.span();
    assert_eq!((span.kind, span.name.as_str()), (SpanKind::Client, "GET"));
    assert_eq!(span.trace_id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    let parent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", span.span_id);
    assert_eq!(headers["traceparent"], parent.as_str());
    assert!(headers["x-amzn-trace-id"].to_str().unwrap().contains(&span.span_id.to_string()));
    assert_eq!(
        (&headers["x-correlation-id"], &headers["x-tenant-id"]),
        (&"corr-1".parse().unwrap(), &"acme".parse().unwrap())
    );
    assert_eq!(headers["x-request-timeout"], "1500");

    assert_eq!(span.duration(), Duration::from_millis(12));
    assert_eq!(text(&span, "url.full"), Some("http://localhost:8103/inventory/7"));
    assert_eq!(text(&span, "server.address"), Some("localhost"));
    let status = span.attributes.get("http.response.status_code").unwrap();
    assert_eq!(status.as_i64(), Some(409));
    assert!(span.status.is_error(), "for a client, 4xx is an error");
    let about = span.annotations.get("order_id").and_then(AttributeValue::as_str);
    assert_eq!(about, Some("o-1"), "what the whole request is about");
}

#[tokio::test]
async fn a_stranger_is_told_the_trace_and_nothing_about_us() {
    let bench = Bench::new();
    let headers = called(&bench, "http://api.example.com/", |builder| builder).await;
    assert!(headers.contains_key("traceparent"));
    assert!(!headers.contains_key("x-tenant-id") && !headers.contains_key("x-request-timeout"));
    let trusted = TrustedHosts::none().and("api.example.com");
    let headers = called(&bench, "http://api.example.com/", |b| b.trusted_hosts(trusted)).await;
    assert_eq!(headers["x-tenant-id"], "acme");
}

#[tokio::test]
async fn calls_are_measured_by_peer() {
    let tally = Arc::new(Tally::default());
    let bench = Bench::with(|builder| builder.metrics(tally.clone()));
    called(&bench, "http://localhost/", |builder| builder).await;
    called(&bench, "http://localhost/", |builder| builder.peer_name("inventory")).await;
    called(&bench, "http://localhost/", |builder| builder.metrics(false)).await;
    for peer in ["Peer=localhost", "Peer=inventory"] {
        assert_eq!(tally.of("ClientRequests", peer), [1.0]);
        assert_eq!(tally.of("ClientErrors", peer), [1.0]);
        assert_eq!(tally.of("ClientFaults", peer), [0.0]);
        assert_eq!(tally.of("ClientLatency", peer), [12.0]);
    }
    let named = bench.spans().into_iter().nth(1).unwrap();
    assert_eq!(text(&named, "peer.service"), Some("inventory"));
}

#[tokio::test]
async fn a_call_writes_a_line_only_at_its_level() {
    let bench = Bench::new();
    called(&bench, "http://localhost/", |builder| builder).await;
    assert!(bench.lines().is_empty(), "the default is DEBUG, which is filtered");
    called(&bench, "http://localhost/", |b| b.line_level(Level::INFO).tracing(false)).await;
    let lines = bench.lines();
    assert_eq!((lines.len(), bench.spans().len()), (1, 1));
    assert_eq!((&lines[0]["peer"], &lines[0]["status"]), (&"localhost".into(), &409.into()));
    assert_eq!((&lines[0]["duration_ms"], &lines[0]["response_bytes"]), (&12.0.into(), &5.into()));
    assert_eq!(lines[0]["correlation_id"], "corr-1");
}

#[tokio::test]
async fn a_call_outside_of_any_request_starts_a_trace() {
    let bench = Bench::new();
    let service =
        ClientLayer::new(bench.telemetry.clone()).layer(service_fn(async |_: Request<()>| {
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
        }));
    service.oneshot(Request::get("http://localhost/").body(()).unwrap()).await.unwrap();
    assert_eq!(bench.span().parent_span_id, None);
}

#[tokio::test]
async fn each_way_a_call_can_end_is_told_apart() {
    enum Exit {
        Error,
        Dropped,
        DroppedInBody,
        BodyError,
    }
    for (exit, outcome, faults) in [
        (Exit::Error, "service_error", 1.0),
        (Exit::Dropped, "cancelled_before_headers", 0.0),
        (Exit::DroppedInBody, "cancelled_in_body", 0.0),
        (Exit::BodyError, "body_error", 1.0),
    ] {
        let tally = Arc::new(Tally::default());
        let bench = Bench::with(|builder| builder.metrics(tally.clone()));
        let layer = ClientLayer::builder(bench.telemetry.clone()).line_level(Level::INFO).build();
        let request = Request::get("http://localhost/").body(()).unwrap();
        let answers = |result: Result<Vec<Step>, Broken>| {
            let mut result = Some(result.map(|steps| Response::new(Script::new(steps))));
            layer
                .layer(service_fn(move |_: Request<()>| std::future::ready(result.take().unwrap())))
        };
        match exit {
            Exit::Error => drop(answers(Err(Broken)).oneshot(request).await.unwrap_err()),
            Exit::Dropped => {
                let pending = std::future::pending::<Result<Response<Script>, Broken>>;
                let mut service = layer.layer(service_fn(move |_: Request<()>| pending()));
                assert!(service.call(request).now_or_never().is_none());
            }
            Exit::DroppedInBody => {
                drop(answers(Ok(vec![Step::Stall])).oneshot(request).await.unwrap());
            }
            Exit::BodyError => {
                let response = answers(Ok(vec![Step::Fail])).oneshot(request).await.unwrap();
                response.into_body().collect().await.unwrap_err();
            }
        }
        let lines = bench.lines();
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["outcome"], outcome);
        assert_eq!(tally.of("ClientRequests", "Peer=localhost"), [1.0]);
        assert_eq!(tally.of("ClientFaults", "Peer=localhost"), [faults]);
        assert_eq!(bench.span().status.is_error(), faults == 1.0);
    }
}

#[tokio::test]
async fn a_call_given_up_at_its_deadline_has_exceeded_it() {
    let bench = Bench::new();
    let layer = ClientLayer::builder(bench.telemetry.clone()).line_level(Level::INFO).build();
    let pending = std::future::pending::<Result<Response<Script>, Broken>>;
    let mut service = layer.layer(service_fn(move |_: Request<()>| pending()));
    let deadline = Deadline::after(bench.clock.clock().now(), Duration::from_millis(20));
    let future = {
        let _limit = deadline.enter();
        service.call(Request::get("http://localhost/").body(()).unwrap())
    };
    bench.clock.advance(Duration::from_millis(20));
    drop(future);
    assert_eq!(bench.lines()[0]["outcome"], "deadline_exceeded");
    assert!(bench.span().status.is_error());
}

#[tokio::test]
async fn attempts_are_numbered_spans_below_one_logical_span() {
    let bench = Bench::new();
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let callee = service_fn({
        let attempts = attempts.clone();
        move |request: Request<()>| {
            attempts.lock().unwrap().push(request.headers()["x-request-attempt"].clone());
            async { Ok::<_, Infallible>(Response::new(Full::new(Bytes::new()))) }
        }
    });
    let client = ClientLayer::new(bench.telemetry.clone()).layer(callee);
    let retrying = service_fn(move |request: Request<()>| {
        let client = client.clone();
        async move {
            client.clone().oneshot(request.clone()).await?;
            client.oneshot(request).await
        }
    });
    let service = LogicalCallLayer::new(bench.telemetry.clone(), "reserve stock").layer(retrying);
    let context = RequestContext::builder(&bench.telemetry).sampled(true).build();
    let request = Request::get("http://localhost/").body(()).unwrap();
    context.scope(service.oneshot(request)).await.unwrap();

    assert_eq!(*attempts.lock().unwrap(), ["1", "2"]);
    let spans = bench.spans();
    let logical = spans.iter().find(|span| span.name.as_str() == "reserve stock").unwrap();
    assert_eq!(logical.parent_span_id, Some(context.span_id()));
    assert_eq!(logical.attributes.get("attempts").unwrap().as_i64(), Some(2));
    let tries: Vec<_> = spans.iter().filter(|span| span.kind == SpanKind::Client).collect();
    assert_eq!(tries.len(), 2);
    assert!(tries.iter().all(|span| span.parent_span_id == Some(logical.span_id)));
    let resends = tries.iter().map(|span| span.attributes.get("http.request.resend_count"));
    let resends: Vec<_> = resends.map(|count| count.and_then(AttributeValue::as_i64)).collect();
    assert_eq!(resends, [None, Some(1)]);
}
