//! One test for each setting, which fails if the setting is ignored.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Request, Response, header};
use http_body_util::{BodyExt, Full};
use obs_core::client_address::TrustedHops;
use obs_core::context::RequestContext;
use obs_core::control::Kind;
use obs_core::environment::Environment;
use obs_core::metric::{Descriptor, Unit};
use obs_core::output::Output;
use obs_core::propagate::TrustPolicy;
use obs_core::resource::Resource;
use obs_core::trace::{AttributeValue, Sampler, SpanRecord};
use obs_emf::Transport;
use obs_emf::lint::{Metrics, assert_metric};
use obs_emf::sink::{LineSink, Sink};
use obs_tower::observe::{
    BodyLogging, MetricsMode, ObserveLayer, ObserveLayerBuilder, RequestBodyLayer, RequestHead,
    Route,
};
use serde_json::Value;
use tower::{Layer, ServiceExt, service_fn};

use crate::support::{Bench, Script, Step};

/// What is left of `request`, answered with 200 and `{"a":1}` after 30 ms, under `change`d settings.
async fn left_by(
    request: http::request::Builder,
    change: impl FnOnce(ObserveLayerBuilder) -> ObserveLayerBuilder,
) -> Bench {
    observed(Bench::new(), request, 200, change).await
}

async fn observed(
    bench: Bench,
    request: http::request::Builder,
    status: u16,
    change: impl FnOnce(ObserveLayerBuilder) -> ObserveLayerBuilder,
) -> Bench {
    let layer = change(ObserveLayer::builder(bench.telemetry.clone())).build().unwrap();
    let clock = bench.clock.clone();
    let service = service_fn(move |request: Request<_>| {
        clock.advance(Duration::from_millis(30));
        async move {
            let _ = BodyExt::collect(request.into_body()).await;
            let body = Full::new(Bytes::from_static(br#"{"a":1}"#));
            let response =
                Response::builder().status(status).header("content-type", "application/json");
            Ok::<_, Infallible>(response.body(body).unwrap())
        }
    });
    let service = layer.layer(RequestBodyLayer.layer(service));
    let request = request.body(Full::new(Bytes::from_static(br#"{"card":"4111"}"#))).unwrap();
    let response = service.oneshot(request).await.unwrap();
    response.into_body().collect().await.unwrap();
    assert_eq!(layer.in_flight().count(), 0);
    bench
}

fn attribute<'a>(span: &'a SpanRecord, key: &str) -> Option<&'a str> {
    span.attributes.get(key).and_then(AttributeValue::as_str)
}

#[tokio::test]
async fn lines_with_metrics_name_what_runs_the_service() {
    let cluster = "arn:aws:ecs:eu-west-1:123456789012:cluster/shop";
    let resource = Resource::empty().with("aws.ecs.cluster.arn", cluster);
    let bench = Bench::with(|builder| builder.resource(resource));
    let bench = observed(bench, Request::get("/"), 200, |builder| builder).await;
    assert_eq!(bench.request_line()["ECS.Cluster"], "shop");
}

#[tokio::test]
async fn logging_metrics_and_tracing_are_switched_one_by_one() {
    for combination in 0..8 {
        let [logging, metrics, tracing] = [1, 2, 4].map(|bit| combination & bit != 0);
        let bench = left_by(Request::get("/"), |builder| {
            builder.logging(logging).metrics(metrics).tracing(tracing)
        })
        .await;
        let lines = bench.lines();
        assert_eq!(lines.len(), usize::from(logging || metrics), "{combination}");
        for line in &lines {
            assert_eq!(line["message"] == "request completed", logging);
            assert_eq!(line.get("outcome").is_some(), logging);
            assert_eq!(line.get("_aws").is_some(), metrics);
            assert_eq!(line["Requests"] == 1, metrics);
            assert!(line["correlation_id"].is_string() && line["trace_id"].is_string());
        }
        assert_eq!(bench.spans().len(), usize::from(tracing), "{combination}");
    }
}

#[tokio::test]
async fn without_tracing_the_callers_verdict_is_passed_on() {
    let bench = Bench::new();
    let layer = ObserveLayer::builder(bench.telemetry.clone()).tracing(false).build().unwrap();
    let service = layer.layer(service_fn(async |_: Request<()>| {
        let sampled = RequestContext::with_current(|c| c.is_sampled());
        let body = if sampled == Some(true) { "sampled" } else { "not" };
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(body))))
    }));
    for (flags, expected) in [("01", "sampled"), ("00", "not")] {
        let parent = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
        let request = Request::get("/").header("traceparent", parent).body(()).unwrap();
        let response = service.clone().oneshot(request).await.unwrap();
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), expected);
    }
    assert!(bench.spans().is_empty());
}

#[tokio::test]
async fn a_filter_that_removes_the_line_leaves_its_metrics() {
    let bench = Bench::with(|builder| builder.level_filter("off"));
    let bench = observed(bench, Request::get("/"), 200, |builder| builder).await;
    let line = bench.request_line();
    assert_eq!((line["Requests"].as_u64(), line.get("outcome")), (Some(1), None));
}

#[tokio::test]
async fn the_layer_is_found_among_the_controls_by_its_name() {
    let bench = left_by(Request::get("/"), |builder| builder.name("public")).await;
    assert!(bench.telemetry.controls().get(Kind::InFlight, "public").is_some());
    assert!(bench.telemetry.controls().get(Kind::InFlight, "http").is_none());
}

/// What CloudWatch would make of the lines of a bench, and the lines themselves.
fn metrics_of(bench: &Bench) -> (Metrics, Vec<Value>) {
    let lines = bench.lines();
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    (Metrics::read(&text.join("\n")), lines)
}

const OF_SERVICE: [(&str, &str); 2] = [("Service", "orders"), ("Environment", "local")];
const OF_ROUTE: [(&str, &str); 4] =
    [("Service", "orders"), ("Environment", "local"), ("Method", "GET"), ("Route", "/orders/{id}")];

fn by_route(builder: ObserveLayerBuilder) -> ObserveLayerBuilder {
    builder.route(|_| Some(Route::from("/orders/{id}")))
}

#[tokio::test]
async fn gathered_metrics_leave_the_line_bare() {
    let aggregated = |builder| by_route(builder).metrics_mode(MetricsMode::Aggregated);
    let bench = observed(Bench::new(), Request::get("/"), 503, aggregated).await;
    let line = bench.request_line();
    assert_eq!((line.get("_aws"), line.get("Requests")), (None, None));
    let (metrics, lines) = metrics_of(&bench);
    for dimensions in [&OF_SERVICE[..], &OF_ROUTE[..]] {
        for (name, value) in [
            ("Requests", 1.0),
            ("Errors", 0.0),
            ("Faults", 1.0),
            ("Latency", 30.0),
            ("ResponseSize", 7.0),
            ("InFlight", 1.0),
        ] {
            assert_eq!(
                assert_metric(&metrics, name, dimensions).values(),
                [(value, 1.0)],
                "{name}"
            );
        }
    }
    let gathered = lines.iter().find(|line| line.get("_aws").is_some()).unwrap();
    assert_eq!(gathered["slowest_trace_id"], line["trace_id"]);
    assert_eq!(gathered["error_trace_id"], line["trace_id"]);
}

#[tokio::test]
async fn gathered_metrics_go_out_by_interval_too() {
    let mode = |builder: ObserveLayerBuilder| {
        let builder = by_route(builder).metrics_mode(MetricsMode::Aggregated);
        builder.metrics_interval(Duration::from_millis(100))
    };
    let bench = observed(Bench::new(), Request::get("/"), 200, mode).await;
    // Neither flushes nor shuts down: a thread of the layer's own does it.
    while !bench.written().contains("_aws") {
        std::thread::yield_now();
    }
    let builder = ObserveLayer::builder(bench.telemetry.clone());
    let builder = builder.metrics_mode(MetricsMode::Aggregated).metrics_interval(Duration::ZERO);
    assert_eq!(builder.build().unwrap_err().field(), "interval");
}

#[tokio::test]
async fn with_a_sink_of_their_own_metrics_leave_the_line_bare_in_every_mode() {
    for mode in [MetricsMode::PerRequest, MetricsMode::Aggregated] {
        let bench = Bench::new();
        let (output, captured) = Output::captured();
        let clock = bench.clock.clock();
        let sink = Arc::new(LineSink::to(output, "orders", Transport::Agent, clock));
        let change = |builder: ObserveLayerBuilder| {
            by_route(builder).metrics_mode(mode).metrics_sink(sink.clone())
        };
        let bench = observed(bench, Request::get("/"), 200, change).await;
        let (inside, _) = metrics_of(&bench);
        assert_eq!(inside.observations(), 0.0);
        assert!(sink.shutdown(Duration::from_secs(10)));
        let metrics = Metrics::read(&captured.text());
        assert_eq!(assert_metric(&metrics, "Latency", &OF_ROUTE).max(), 30.0);
        let trace = bench.request_line()["trace_id"].as_str().unwrap().to_owned();
        assert!(captured.text().contains(&trace));
    }
}

#[tokio::test]
async fn the_metrics_name_what_the_service_runs_on() {
    let resource = Resource::default().with("k8s.pod.name", "orders-1");
    let bench = Bench::with(|builder| builder.resource(resource));
    let bench = observed(bench, Request::get("/"), 200, |builder| builder).await;
    assert_eq!(bench.request_line()["K8s.Pod"], "orders-1");
}

#[tokio::test]
async fn a_declared_dimension_and_the_metrics_of_handlers_are_gathered_too() {
    static ITEMS: Descriptor = Descriptor::new("Items", Unit::Count, "Items in an order");
    let bench = Bench::new();
    let builder = by_route(ObserveLayer::builder(bench.telemetry.clone()));
    let builder = builder.dimension("Region", "eu-1").metrics_mode(MetricsMode::Aggregated);
    let service = builder.build().unwrap().layer(service_fn(async |_: Request<()>| {
        RequestContext::with_current(|record| record.metric(&ITEMS, 3.0));
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
    }));
    service.oneshot(Request::get("/").body(()).unwrap()).await.unwrap();
    let (_, lines) = metrics_of(&bench);
    let gathered = lines.iter().find(|line| line.get("_aws").is_some()).unwrap();
    let sets = gathered["_aws"]["CloudWatchMetrics"][0]["Dimensions"].as_array().unwrap();
    assert!(sets.iter().all(|set| set.as_array().unwrap().contains(&"Region".into())));
    assert_eq!((&gathered["Region"], &gathered["Route"]), (&"eu-1".into(), &"/orders/{id}".into()));
    let (metrics, _) = metrics_of(&bench);
    assert!(metrics.observations() > 0.0 && bench.written().contains("\"Items\""));

    for mode in [MetricsMode::PerRequest, MetricsMode::Aggregated] {
        let builder = ObserveLayer::builder(bench.telemetry.clone()).metrics_mode(mode);
        builder.dimension(":Region", "eu-1").build().unwrap_err();
    }
}

#[tokio::test]
async fn a_hybrid_keeps_all_errors_and_some_of_the_rest_with_their_weight() {
    const REQUESTS: usize = 400;
    let bench = Bench::new();
    let mode = MetricsMode::Hybrid { keep_one_in: 8 };
    let layer = ObserveLayer::builder(bench.telemetry.clone()).metrics_mode(mode).build().unwrap();
    let service = layer.layer(service_fn(async |request: Request<()>| {
        let status = if request.uri().path() == "/bad" { 500 } else { 200 };
        let response = Response::builder().status(status);
        Ok::<_, Infallible>(response.body(Full::new(Bytes::new())).unwrap())
    }));
    for index in 0..REQUESTS {
        let path = if index % 4 == 0 { "/bad" } else { "/good" };
        service.clone().oneshot(Request::get(path).body(()).unwrap()).await.unwrap();
    }
    let lines = bench.request_lines();
    let (bad, good): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line["status"] == 500);
    assert_eq!(bad.len(), 100);
    assert!(bad.iter().all(|line| line["sample_weight"] == 1));
    assert!((10..100).contains(&good.len()), "{}", good.len());
    assert!(good.iter().all(|line| line["sample_weight"] == 8));
    let (metrics, _) = metrics_of(&bench);
    assert_eq!(assert_metric(&metrics, "Requests", &OF_SERVICE).sum(), REQUESTS as f64);
    let ledger = bench.telemetry.report().lines;
    assert_eq!(ledger.sampled_out, (300 - good.len()) as u64);
    assert_eq!(ledger.created, ledger.written + ledger.sampled_out);
}

#[test]
fn a_hybrid_that_keeps_none_is_refused() {
    let mode = MetricsMode::Hybrid { keep_one_in: 0 };
    let builder = ObserveLayer::builder(Bench::new().telemetry).metrics_mode(mode);
    assert_eq!(builder.build().unwrap_err().to_string(), "keep_one_in = 0: must be at least 1");
}

#[tokio::test]
async fn identities_in_headers_count_only_where_they_are_trusted() {
    let request = || Request::get("/").header("x-tenant-id", "acme").header("x-user-id", "u-1");
    let edge = left_by(request(), |builder| builder).await.request_line();
    assert_eq!((edge.get("tenant_id"), edge.get("user_id")), (None, None));
    let internal = left_by(request(), |b| b.trust(TrustPolicy::internal())).await.request_line();
    assert_eq!((&internal["tenant_id"], &internal["user_id"]), (&"acme".into(), &"u-1".into()));
}

#[tokio::test]
async fn timeout_and_attempt_of_the_caller_count_only_where_they_are_trusted() {
    let request =
        || Request::get("/").header("x-request-timeout", "250").header("x-request-attempt", "3");
    let edge = left_by(request(), |builder| builder).await.request_line();
    assert_eq!((edge.get("timeout_ms"), edge.get("attempt")), (None, None));
    let internal = left_by(request(), |b| b.trust(TrustPolicy::internal())).await.request_line();
    assert_eq!((&internal["timeout_ms"], &internal["attempt"]), (&250.0.into(), &3.into()));
}

#[tokio::test]
async fn the_sample_rate_decides_about_spans_and_not_about_lines() {
    let bench = left_by(Request::get("/"), |builder| builder.sample_rate(0.0)).await;
    assert_eq!((bench.spans().len(), bench.request_lines().len()), (0, 1));
    assert_eq!(bench.telemetry.report().spans.sampled_out, 1);

    let never = Bench::with(|builder| builder.sampler(Sampler::always_off()));
    let bench = observed(never, Request::get("/"), 200, |builder| builder.sample_rate(1.0)).await;
    assert_eq!(bench.spans().len(), 1);

    let builder = ObserveLayer::builder(bench.telemetry).sample_rate(1.5);
    assert!(builder.build().unwrap_err().to_string().contains("1.5"));
}

#[tokio::test]
async fn a_fault_exports_its_span_though_it_was_sampled_out() {
    let bench = observed(Bench::new(), Request::get("/"), 500, |b| b.sample_rate(0.0)).await;
    assert!(bench.span().status.is_error());
    assert_eq!(bench.telemetry.report().spans.upgraded, 1);
}

#[tokio::test]
async fn the_namespace_is_that_of_code_then_of_the_environment_then_the_service() {
    let namespace =
        |bench: Bench| bench.request_line()["_aws"]["CloudWatchMetrics"][0]["Namespace"].clone();
    let with_environment =
        || Bench::with(|b| b.environment(Environment::from([("AWS_EMF_NAMESPACE", "from-env")])));
    let get = || Request::get("/");
    assert_eq!(namespace(observed(Bench::new(), get(), 200, |b| b).await), "orders");
    assert_eq!(namespace(observed(with_environment(), get(), 200, |b| b).await), "from-env");
    let named = observed(with_environment(), get(), 200, |b| b.namespace("shop")).await;
    assert_eq!(namespace(named), "shop");
    let refused = ObserveLayer::builder(Bench::new().telemetry).namespace("AWS/Shop").build();
    assert!(refused.unwrap_err().to_string().contains("AWS/Shop"));
}

#[tokio::test]
async fn a_name_that_is_no_namespace_costs_the_metrics_and_not_the_service() {
    let bench = Bench::named("orders & more");
    let layer = ObserveLayer::new(bench.telemetry.clone());
    let service = layer.layer(service_fn(async |_: Request<()>| {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
    }));
    service.oneshot(Request::get("/").body(()).unwrap()).await.unwrap();
    assert_eq!(bench.lines()[0]["level"], "ERROR");
    assert_eq!(bench.request_line().get("_aws"), None);
}

#[tokio::test]
async fn the_route_names_dimension_and_span_and_never_the_path() {
    let bench = left_by(Request::get("/orders/7"), |builder| builder).await;
    let line = bench.request_line();
    assert_eq!(
        (&line["route"], &line["Route"]),
        (&"__unmatched__".into(), &"__unmatched__".into())
    );
    let span = bench.span();
    assert_eq!((span.name.as_str(), attribute(&span, "http.route")), ("GET", None));

    let route = |head: RequestHead<'_>| {
        head.uri.path().starts_with("/orders/").then(|| Route::from("/orders/{id}"))
    };
    let bench = left_by(Request::get("/orders/7"), |builder| builder.route(route)).await;
    let line = bench.request_line();
    assert_eq!((&line["route"], &line["Route"]), (&"/orders/{id}".into(), &"/orders/{id}".into()));
    let span = bench.span();
    assert_eq!(span.name.as_str(), "GET /orders/{id}");
    assert_eq!(attribute(&span, "http.route"), Some("/orders/{id}"));
}

#[tokio::test]
async fn the_operation_names_the_span_and_a_field() {
    let bench = left_by(Request::post("/orders"), |builder| {
        builder.operation_name(|_| Some("PlaceOrder".into()))
    })
    .await;
    assert_eq!(bench.request_line()["operation"], "PlaceOrder");
    assert_eq!(bench.span().name.as_str(), "PlaceOrder");
}

#[tokio::test]
async fn extractors_of_tenant_and_user_beat_the_headers() {
    let request = Request::get("/").header("x-tenant-id", "forged").header("x-user-id", "u-1");
    let bench = left_by(request, |builder| {
        builder
            .trust(TrustPolicy::internal())
            .tenant_id(|_| Some("acme".into()))
            .user_id(|head| head.headers.contains_key("no").then(|| "none".into()))
    })
    .await;
    let line = bench.request_line();
    assert_eq!((&line["tenant_id"], &line["user_id"]), (&"acme".into(), &"u-1".into()));
}

#[tokio::test]
async fn a_tag_is_a_field_and_an_attribute_and_no_dimension() {
    let bench = left_by(Request::get("/"), |builder| builder.default_tag("region", "eu-1")).await;
    let line = bench.request_line();
    assert_eq!(line["region"], "eu-1");
    assert!(!line["_aws"].to_string().contains("region"));
    assert_eq!(attribute(&bench.span(), "region"), Some("eu-1"));
}

#[tokio::test]
async fn a_declared_dimension_is_in_every_set() {
    let bench = left_by(Request::get("/"), |builder| builder.dimension("Region", "eu-1")).await;
    let line = bench.request_line();
    assert_eq!(line["Region"], "eu-1");
    let sets = line["_aws"]["CloudWatchMetrics"][0]["Dimensions"].as_array().unwrap().clone();
    assert_eq!(sets.len(), 2);
    assert!(sets.iter().all(|set| set.as_array().unwrap().contains(&"Region".into())));
}

#[tokio::test]
async fn bodies_are_logged_only_if_asked_and_only_up_to_the_limit() {
    let request = || Request::post("/").header("content-type", "application/json");
    let line = left_by(request(), |builder| builder).await.request_line();
    assert_eq!((line.get("request_body"), line.get("response_body")), (None, None));

    let line = left_by(request(), |builder| {
        let redacted = BodyLogging::default().redact(|text| text.replace("4111", "[card]"));
        let cut = BodyLogging::default().limit_bytes(4);
        builder.log_request_body(redacted).log_response_body(cut)
    })
    .await
    .request_line();
    assert_eq!(line["request_body"], r#"{"card":"[card]"}"#);
    assert_eq!((&line["response_body"], &line["request_bytes"]), (&r#"{"a""#.into(), &15.into()));

    let line = left_by(request(), |builder| {
        let other = BodyLogging::default().content_types(["text/plain"]);
        builder.log_request_body(other.clone()).log_response_body(other)
    })
    .await
    .request_line();
    assert_eq!((line.get("request_body"), line.get("response_body")), (None, None));

    let refused = BodyLogging::default().limit_bytes(0);
    let builder = ObserveLayer::builder(Bench::new().telemetry).log_request_body(refused);
    assert!(builder.build().unwrap_err().to_string().starts_with("log_request_body = 0"));
}

#[tokio::test]
async fn a_body_of_unknown_length_is_counted() {
    let request = Request::post("/").header(header::TRANSFER_ENCODING, "chunked");
    assert_eq!(left_by(request, |builder| builder).await.request_line()["request_bytes"], 15);
    let request = Request::post("/").header(header::CONTENT_LENGTH, "15");
    assert_eq!(left_by(request, |builder| builder).await.request_line()["request_bytes"], 15);
}

#[tokio::test]
async fn a_skipped_path_leaves_no_line_and_no_span_but_counts() {
    let bench = left_by(Request::get("/health"), |builder| builder.skip("/health")).await;
    assert!(bench.request_lines().is_empty() && bench.spans().is_empty());
    let lines = bench.lines();
    assert_eq!(lines.len(), 1);
    assert_eq!(
        (&lines[0]["message"], &lines[0]["Requests"]),
        (&"request metrics".into(), &1.into())
    );
    let other = left_by(Request::get("/orders"), |builder| builder.skip("/health")).await;
    assert_eq!((other.request_lines().len(), other.spans().len()), (1, 1));
}

#[tokio::test]
async fn a_skipped_path_that_fails_is_logged_all_the_same() {
    let skip = |builder: ObserveLayerBuilder| builder.skip("/health");
    let bench = observed(Bench::new(), Request::get("/health"), 503, skip).await;
    assert_eq!((bench.request_lines().len(), bench.spans().len()), (1, 1));
}

#[tokio::test]
async fn a_header_is_logged_if_it_is_on_the_list() {
    let name = HeaderName::from_static("x-plan");
    let request = || Request::get("/").header("X-Plan", "gold").header("x-other", "secret");
    let line = left_by(request(), |builder| builder.log_header(name)).await.request_line();
    assert_eq!(line["header_x_plan"], "gold");
    assert!(!line.to_string().contains("secret"));
    let line = left_by(request(), |builder| builder).await.request_line();
    assert!(!line.to_string().contains("gold"));
    for secret in [header::AUTHORIZATION, header::COOKIE, header::PROXY_AUTHORIZATION] {
        let builder = ObserveLayer::builder(Bench::new().telemetry).log_header(secret.clone());
        assert!(builder.build().unwrap_err().to_string().contains(secret.as_str()));
    }
}

#[tokio::test]
async fn a_slow_request_is_marked_and_its_span_exported() {
    for (threshold, slow) in [(30, true), (31, false)] {
        let bench = left_by(Request::get("/"), |builder| {
            builder.sample_rate(0.0).slow_threshold(Duration::from_millis(threshold))
        })
        .await;
        assert_eq!(bench.request_line().get("slow") == Some(&true.into()), slow);
        assert_eq!(bench.spans().len(), usize::from(slow));
    }
}

#[tokio::test]
async fn the_hold_is_as_long_as_it_is_set() {
    for (limit, lines) in [(Some(Duration::from_secs(5)), 1), (None, 0)] {
        let bench = Bench::new();
        let builder = ObserveLayer::builder(bench.telemetry.clone());
        let layer = builder.max_hold(limit).build().unwrap();
        let service = layer.layer(service_fn(async |_: Request<()>| {
            let steps = [Step::Data(b"a"), Step::Data(b"b"), Step::Stall];
            Ok::<_, Infallible>(Response::new(Script::new(steps)))
        }));
        let response = service.oneshot(Request::get("/").body(()).unwrap()).await.unwrap();
        let mut body = Box::pin(response.into_body());
        body.frame().await.unwrap().unwrap();
        bench.clock.advance(Duration::from_secs(5));
        body.frame().await.unwrap().unwrap();
        assert_eq!(bench.request_lines().len(), lines);
    }
}

#[tokio::test]
async fn the_clients_address_is_found_behind_as_many_proxies_as_are_trusted() {
    let request = || {
        let peer: std::net::SocketAddr = "10.0.0.7:4711".parse().unwrap();
        Request::get("/").header("x-forwarded-for", "6.6.6.6, 203.0.113.9").extension(peer)
    };
    let line = left_by(request(), |builder| builder).await.request_line();
    assert_eq!(line["client_address"], "10.0.0.7");
    let hops = |builder: ObserveLayerBuilder| builder.trusted_hops(TrustedHops::new(1));
    let bench = left_by(request(), hops).await;
    assert_eq!(bench.request_line()["client_address"], "203.0.113.9");
    assert_eq!(attribute(&bench.span(), "client.address"), Some("203.0.113.9"));
    let environment = Environment::from([("OBS_TRUSTED_HOPS", "2")]);
    let bench = Bench::with(|builder| builder.environment(environment));
    let line = observed(bench, request(), 200, |builder| builder).await.request_line();
    assert_eq!(line["client_address"], "6.6.6.6");
}

#[tokio::test]
async fn the_dump_shows_what_is_running_and_for_how_long() {
    let bench = Bench::new();
    let builder = ObserveLayer::builder(bench.telemetry.clone());
    let layer = builder.route(|_| Some(Route::from("/wait"))).build().unwrap();
    let mut service = layer.layer(service_fn(|_: Request<()>| {
        std::future::pending::<Result<Response<Script>, Infallible>>()
    }));
    let control = bench.telemetry.controls().get(Kind::InFlight, "http").unwrap();
    assert_eq!((control.state(), control.snapshot()["count"].as_u64()), ("idle", Some(0)));

    let request = |id: &str| Request::put("/").header("x-correlation-id", id).body(()).unwrap();
    let older = tower::Service::call(&mut service, request("older"));
    bench.clock.advance(Duration::from_millis(1_500));
    let newer = tower::Service::call(&mut service, request("newer"));
    let Value::Array(running) = control.snapshot()["requests"].clone() else { panic!("a list") };
    assert_eq!(control.state(), "serving");
    let ids: Vec<_> = running.iter().map(|request| &request["correlation_id"]).collect();
    assert_eq!(ids, ["older", "newer"]);
    assert_eq!((&running[0]["age_ms"], &running[1]["age_ms"]), (&1_500.into(), &0.into()));
    assert_eq!((&running[0]["route"], &running[0]["method"]), (&"/wait".into(), &"PUT".into()));
    assert_eq!(running[0]["phase"], "handler");
    drop((older, newer));
    assert_eq!(control.snapshot()["requests"], Value::Array(Vec::new()));
}

#[cfg(feature = "tokio")]
#[tokio::test(start_paused = true)]
async fn a_silent_stream_is_woken_to_let_its_line_go() {
    let bench = Bench::new();
    let layer = ObserveLayer::new(bench.telemetry.clone());
    let service = layer.layer(service_fn(async |_: Request<()>| {
        Ok::<_, Infallible>(Response::new(Script::new([Step::Data(b"a"), Step::Stall])))
    }));
    let response = service.oneshot(Request::get("/").body(()).unwrap()).await.unwrap();
    let mut body = Box::pin(response.into_body());
    body.frame().await.unwrap().unwrap();
    let silence = tokio::time::timeout(Duration::from_secs(61), body.frame()).await;
    assert!(silence.is_err());
    assert_eq!(bench.request_line()["held"], true);
    assert_eq!(layer.in_flight().count(), 0);
}
