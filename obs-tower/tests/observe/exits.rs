//! Every way a request can end leaves one line, one metric update and one span end that agree.

use std::convert::Infallible;
use std::time::Duration;

use crate::support::{Bench, Broken, Script, Step};
use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Empty, Full};
use obs_core::outcome::{Outcome, Rejection};
use obs_core::propagate::TrustPolicy;
use obs_core::trace::AttributeValue;
use obs_tower::observe::{ObserveLayer, PanicPolicy};
use serde_json::Value;
use tower::{Layer, Service, ServiceExt, service_fn};

const HANDLING: Duration = Duration::from_millis(25);

/// A request, and everything it left behind.
struct Trial {
    bench: Bench,
    layer: ObserveLayer,
}

impl Trial {
    fn new() -> Self {
        let bench = Bench::new();
        let layer = ObserveLayer::new(bench.telemetry.clone());
        Self { bench, layer }
    }

    /// A service that takes [`HANDLING`] and answers with `response`.
    fn answering<B>(
        &self,
        response: Response<B>,
    ) -> impl Service<Request<()>, Response = Response<impl Body<Data = Bytes>>, Error = Infallible>
    where
        B: Body<Data = Bytes>,
    {
        let clock = self.bench.clock.clone();
        let mut response = Some(response);
        self.layer.layer(service_fn(move |_: Request<()>| {
            clock.advance(HANDLING);
            let response = response.take().unwrap();
            async { Ok::<_, Infallible>(response) }
        }))
    }

    /// Sends a `GET`, reads the whole response, and gives what was left behind.
    async fn exchange<B: Body<Data = Bytes>>(&self, response: Response<B>) -> Value {
        self.exchange_with(Method::GET, response).await
    }

    async fn exchange_with<B: Body<Data = Bytes>>(
        &self,
        method: Method,
        response: Response<B>,
    ) -> Value {
        let request = Request::builder().method(method).uri("/orders/7").body(()).unwrap();
        let response = self.answering(response).oneshot(request).await.unwrap();
        let mut body = std::pin::pin!(response.into_body());
        while let Some(Ok(_)) = body.frame().await {}
        self.agreed()
    }

    /// The line, once it is sure that line, metrics and span are one each and agree.
    fn agreed(&self) -> Value {
        let (line, span) = (self.bench.request_line(), self.bench.span());
        assert_eq!(self.layer.in_flight().count(), 0, "nothing is in flight");

        let outcome = line["outcome"].as_str().unwrap();
        assert_eq!(span.attributes.get("outcome").and_then(AttributeValue::as_str), Some(outcome));
        let status = span.attributes.get("http.response.status_code");
        assert_eq!(status.and_then(AttributeValue::as_i64), line["status"].as_i64());
        let duration = line["duration_ms"].as_f64().unwrap();
        assert_eq!(span.duration().as_secs_f64() * 1e3, duration);

        assert_eq!(line["Requests"], 1);
        assert_eq!(line["Latency"].as_f64(), Some(duration));
        assert_eq!(line["InFlight"], 1);
        let fault = line["Faults"] == 1;
        assert_eq!(span.status.is_error(), fault);
        assert_eq!(line["level"] == "ERROR", fault);
        assert_eq!(line["level"] == "INFO", outcome == "success");
        let by_status = line["status"].as_u64().is_some_and(|s| (400..500).contains(&s));
        assert!(line["Errors"] == 1 || !by_status || fault);
        line
    }
}

fn full(status: u16, body: &'static str) -> Response<Full<Bytes>> {
    Response::builder().status(status).body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap()
}

fn scripted(steps: impl IntoIterator<Item = Step>) -> Response<Script> {
    Response::new(Script::new(steps))
}

fn with_header<B>(mut response: Response<B>, name: &'static str, value: &str) -> Response<B> {
    response.headers_mut().insert(name, HeaderValue::from_str(value).unwrap());
    response
}

fn get() -> Request<()> {
    Request::get("/orders/7").body(()).unwrap()
}

#[tokio::test]
async fn a_complete_response_is_a_success() {
    let line = Trial::new().exchange(full(201, "hello")).await;
    assert_eq!((&line["outcome"], &line["status"]), (&"success".into(), &201.into()));
    assert_eq!((&line["response_bytes"], &line["ResponseSize"]), (&5.into(), &5.into()));
    assert_eq!((&line["duration_ms"], &line["ttfb_ms"]), (&25.0.into(), &25.0.into()));
    assert_eq!((&line["error_kind"], &line["first_byte_ms"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn a_first_byte_that_comes_late_has_a_time_of_its_own() {
    let trial = Trial::new();
    let steps = [Step::Data(b"part"), Step::Data(b"rest")];
    let response = trial.answering(scripted(steps)).oneshot(get()).await.unwrap();
    trial.bench.clock.advance(Duration::from_millis(5));
    let mut body = Box::pin(response.into_body());
    body.frame().await.unwrap().ok().unwrap();
    trial.bench.clock.advance(Duration::from_millis(10));
    while let Some(Ok(_)) = body.frame().await {}
    let line = trial.agreed();
    assert_eq!((&line["ttfb_ms"], &line["first_byte_ms"]), (&25.0.into(), &30.0.into()));
    assert_eq!(line["duration_ms"], 40.0);
}

#[tokio::test]
async fn a_4xx_status_is_a_client_error() {
    let line = Trial::new().exchange(full(404, "no")).await;
    assert_eq!(line["outcome"], "client_error");
    assert_eq!((&line["Errors"], &line["Faults"]), (&1.into(), &0.into()));
    assert_eq!(line["level"], "WARN");
}

#[tokio::test]
async fn a_5xx_status_is_a_server_error() {
    let line = Trial::new().exchange(full(503, "no")).await;
    assert_eq!(line["outcome"], "server_error");
    assert_eq!((&line["Errors"], &line["Faults"]), (&0.into(), &1.into()));
}

#[tokio::test]
async fn a_panic_in_the_handler_is_answered_and_recorded_once() {
    let trial = Trial::new();
    let service = trial.layer.layer(service_fn(async |_: Request<()>| {
        if true {
            panic!("no such luck");
        }
        Ok::<_, Infallible>(full(200, ""))
    }));
    let response = service.oneshot(get()).await.unwrap();
    assert_eq!(response.status(), 500);
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    let id = response.headers()["x-correlation-id"].to_str().unwrap().to_owned();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let problem: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((&problem["status"], &problem["correlation_id"]), (&500.into(), &id.into()));

    let line = trial.agreed();
    assert_eq!((&line["outcome"], &line["status"]), (&"panic".into(), &500.into()));
    assert_eq!(line["error_kind"], "panic");
    assert_eq!(line["error_message"], "no such luck");
    assert_eq!(line["response_bytes"], body.len());
    let events = trial.bench.span().events;
    assert_eq!(events.len(), 1);
    assert_eq!(
        events[0].attributes.get("exception.message").unwrap().as_str(),
        Some("no such luck")
    );
}

#[tokio::test]
async fn a_panic_before_there_is_a_future_is_answered_too() {
    let trial = Trial::new();
    let service = trial.layer.layer(service_fn(|request: Request<()>| {
        assert!(request.uri().path().is_empty(), "in call");
        async { Ok::<_, Infallible>(full(200, "")) }
    }));
    assert_eq!(service.oneshot(get()).await.unwrap().status(), 500);
    assert_eq!(trial.agreed()["outcome"], "panic");
}

#[tokio::test]
async fn a_panic_goes_on_after_it_was_recorded_if_that_is_the_policy() {
    let bench = Bench::new();
    let builder = ObserveLayer::builder(bench.telemetry.clone());
    let layer = builder.on_panic(PanicPolicy::Resume).build().unwrap();
    let trial = Trial { bench, layer };
    let service = trial.layer.layer(service_fn(async |_: Request<()>| {
        if true {
            panic!("goes on");
        }
        Ok::<_, Infallible>(full(200, ""))
    }));
    let payload =
        std::panic::AssertUnwindSafe(service.oneshot(get())).catch_unwind().await.unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"goes on"));
    let line = trial.agreed();
    assert_eq!((&line["outcome"], &line["status"]), (&"panic".into(), &Value::Null));
}

#[tokio::test]
async fn a_panic_in_the_body_is_recorded_and_goes_on() {
    let trial = Trial::new();
    let response = scripted([Step::Data(b"abc"), Step::Panic]);
    let response = trial.answering(response).oneshot(get()).await.unwrap();
    let collected = std::panic::AssertUnwindSafe(response.into_body().collect()).catch_unwind();
    assert!(collected.await.is_err());
    let line = trial.agreed();
    assert_eq!((&line["outcome"], &line["status"]), (&"panic".into(), &200.into()));
    assert_eq!(line["response_bytes"], 3);
}

#[tokio::test]
async fn an_error_of_the_service_is_passed_on_and_recorded_with_its_type() {
    let trial = Trial::new();
    let service =
        trial.layer.layer(service_fn(async |_: Request<()>| Err::<Response<Script>, _>(Broken)));
    let Broken = service.oneshot(get()).await.unwrap_err();
    let line = trial.agreed();
    assert_eq!((&line["outcome"], &line["status"]), (&"service_error".into(), &Value::Null));
    assert!(line["error_kind"].as_str().unwrap().ends_with("support::Broken"));
    assert_eq!(line["response_bytes"], Value::Null);
}

#[tokio::test]
async fn a_body_that_fails_is_recorded_as_failed_though_the_status_says_200() {
    let line = Trial::new().exchange(scripted([Step::Data(b"part"), Step::Fail])).await;
    assert_eq!((&line["outcome"], &line["status"]), (&"body_error".into(), &200.into()));
    assert_eq!(line["response_bytes"], 4);
    assert_eq!(line["Faults"], 1);
}

#[tokio::test]
async fn a_cut_body_is_recorded_as_truncated() {
    let response = with_header(scripted([Step::Data(b"part")]), "content-length", "10");
    let line = Trial::new().exchange(response).await;
    assert_eq!(line["outcome"], "truncated_body");
    assert_eq!(line["response_bytes"], 4);
}

#[tokio::test]
async fn an_empty_body_where_a_length_was_promised_is_truncated() {
    let response = Response::new(Empty::<Bytes>::new());
    let line = Trial::new().exchange(with_header(response, "content-length", "10")).await;
    assert_eq!(line["outcome"], "truncated_body");
}

#[tokio::test]
async fn a_client_that_leaves_before_the_headers_is_not_a_success() {
    let trial = Trial::new();
    let mut service = trial.layer.layer(service_fn(|_: Request<()>| {
        std::future::pending::<Result<Response<Script>, Infallible>>()
    }));
    let mut future = service.call(get());
    assert!((&mut future).now_or_never().is_none());
    assert_eq!(trial.layer.in_flight().count(), 1);
    trial.bench.clock.advance(HANDLING);
    drop(future);
    let line = trial.agreed();
    assert_eq!(line["outcome"], "cancelled_before_headers");
    assert_eq!((&line["status"], &line["duration_ms"]), (&Value::Null, &25.0.into()));
    assert_eq!((&line["Errors"], &line["Faults"]), (&0.into(), &0.into()));
}

#[tokio::test]
async fn a_future_that_was_never_polled_leaves_its_record_too() {
    let trial = Trial::new();
    drop(trial.answering(full(200, "")).call(get()));
    assert_eq!(trial.agreed()["outcome"], "cancelled_before_headers");
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_of_the_body_is_not_a_success() {
    let trial = Trial::new();
    let response = scripted([Step::Data(b"part"), Step::Stall]);
    let response = trial.answering(response).oneshot(get()).await.unwrap();
    let mut body = Box::pin(response.into_body());
    body.frame().await.unwrap().ok().unwrap();
    assert_eq!(trial.bench.request_lines().len(), 0, "not before the end");
    drop(body);
    let line = trial.agreed();
    assert_eq!((&line["outcome"], &line["status"]), (&"cancelled_in_body".into(), &200.into()));
    assert_eq!(line["response_bytes"], 4);
}

#[tokio::test]
async fn a_request_dropped_after_its_deadline_has_exceeded_it() {
    let bench = Bench::new();
    let builder = ObserveLayer::builder(bench.telemetry.clone());
    let layer = builder.trust(TrustPolicy::internal()).build().unwrap();
    let trial = Trial { bench, layer };
    let mut service = trial.layer.layer(service_fn(|_: Request<()>| {
        std::future::pending::<Result<Response<Script>, Infallible>>()
    }));
    let request = Request::get("/").header("x-request-timeout", "20").body(()).unwrap();
    let future = service.call(request);
    trial.bench.clock.advance(HANDLING);
    drop(future);
    let line = trial.agreed();
    assert_eq!((&line["outcome"], &line["Faults"]), (&"deadline_exceeded".into(), &1.into()));
}

#[tokio::test]
async fn what_a_layer_within_says_about_its_refusal_stands() {
    for (status, outcome, name) in [
        (429, Outcome::Rejected(Rejection::RateLimit), "rejected_rate_limit"),
        (503, Outcome::Rejected(Rejection::Bulkhead), "rejected_bulkhead"),
        (504, Outcome::DeadlineExceeded, "deadline_exceeded"),
    ] {
        let mut response = full(status, "refused");
        response.extensions_mut().insert(outcome);
        let line = Trial::new().exchange(response).await;
        assert_eq!((&line["outcome"], &line["status"]), (&name.into(), &status.into()));
    }
}

#[tokio::test]
async fn a_stop_ends_the_records_of_what_is_still_running() {
    let trial = Trial::new();
    let response = scripted([Step::Data(b"part"), Step::Stall]);
    let response = trial.answering(response).oneshot(get()).await.unwrap();
    trial.layer.shutdown();
    let line = trial.agreed();
    assert_eq!((&line["outcome"], &line["status"]), (&"shutdown".into(), &200.into()));
    drop(response);
    assert_eq!(trial.agreed()["outcome"], "shutdown", "the drop afterwards changes nothing");
}

#[tokio::test]
async fn a_request_dropped_while_the_service_stops_was_cut_short_by_it() {
    let trial = Trial::new();
    trial.layer.shutdown();
    drop(trial.answering(full(200, "")).call(get()));
    assert_eq!(trial.agreed()["outcome"], "shutdown");
}

#[tokio::test]
async fn a_response_to_head_is_complete_without_its_body() {
    let response = with_header(scripted([]), "content-length", "10");
    let line = Trial::new().exchange_with(Method::HEAD, response).await;
    assert_eq!(line["outcome"], "success");
}

#[tokio::test]
async fn a_status_without_a_body_completes_at_the_headers() {
    for status in [204, 304] {
        let trial = Trial::new();
        let mut response = with_header(scripted([Step::Stall]), "content-length", "10");
        *response.status_mut() = status.try_into().unwrap();
        // A server drops the body of such a response without a look at it.
        drop(trial.answering(response).oneshot(get()).await.unwrap());
        assert_eq!(trial.agreed()["outcome"], "success");
    }
}

#[tokio::test]
async fn an_upgrade_completes_at_the_headers() {
    let trial = Trial::new();
    let mut response = scripted([Step::Stall]);
    *response.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
    let upgraded = trial.answering(response).oneshot(get()).await.unwrap();
    assert_eq!((trial.agreed()["status"].clone(), upgraded.status().as_u16()), (101.into(), 101));
}

#[tokio::test]
async fn a_body_of_the_promised_length_is_complete_before_anyone_asks_for_its_end() {
    let trial = Trial::new();
    let response = with_header(scripted([Step::Data(b"1234"), Step::Stall]), "content-length", "4");
    let response = trial.answering(response).oneshot(get()).await.unwrap();
    let mut body = Box::pin(response.into_body());
    body.frame().await.unwrap().ok().unwrap();
    drop(body);
    assert_eq!(trial.agreed()["outcome"], "success");
}

fn grpc(steps: impl IntoIterator<Item = Step>) -> Response<Script> {
    with_header(scripted(steps), "content-type", "application/grpc+proto")
}

fn trailers(code: &'static str) -> Step {
    Step::Trailers(HeaderMap::from_iter([(
        http::HeaderName::from_static("grpc-status"),
        HeaderValue::from_static(code),
    )]))
}

#[tokio::test]
async fn the_grpc_status_in_the_trailers_decides() {
    for (code, outcome, name, level) in [
        ("0", "success", "OK", "INFO"),
        ("5", "client_error", "NOT_FOUND", "WARN"),
        ("4", "deadline_exceeded", "DEADLINE_EXCEEDED", "ERROR"),
        ("13", "server_error", "INTERNAL", "ERROR"),
    ] {
        let line = Trial::new().exchange(grpc([Step::Data(b"m"), trailers(code)])).await;
        assert_eq!((&line["outcome"], &line["grpc_status"]), (&outcome.into(), &name.into()));
        assert_eq!((&line["status"], &line["level"]), (&200.into(), &level.into()));
    }
}

#[tokio::test]
async fn a_grpc_status_among_the_headers_decides() {
    let response = with_header(grpc([]), "grpc-status", "14");
    let line = Trial::new().exchange(response).await;
    assert_eq!(line["outcome"], "server_error");
    assert_eq!(
        (&line["grpc_status"], &line["error_kind"]),
        (&"UNAVAILABLE".into(), &"UNAVAILABLE".into())
    );
}

#[tokio::test]
async fn a_grpc_response_without_its_trailers_is_truncated() {
    let line = Trial::new().exchange(grpc([Step::Data(b"m")])).await;
    assert_eq!(line["outcome"], "truncated_body");
}

#[tokio::test]
async fn a_panic_is_answered_in_grpc_to_those_who_speak_it() {
    let trial = Trial::new();
    let service = trial.layer.layer(service_fn(async |_: Request<()>| {
        if true {
            panic!("grpc");
        }
        Ok::<_, Infallible>(full(200, ""))
    }));
    let request = Request::post("/pkg.Svc/Do").header("content-type", "application/grpc");
    let response = service.oneshot(request.body(()).unwrap()).await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["grpc-status"]),
        (200, &HeaderValue::from_static("13"))
    );
    assert!(response.body().is_end_stream());
    let line = trial.agreed();
    assert_eq!((&line["outcome"], &line["grpc_status"]), (&"panic".into(), &"INTERNAL".into()));
}

#[tokio::test]
async fn a_stream_that_goes_on_does_not_hold_its_line_for_ever() {
    let trial = Trial::new();
    let steps = [Step::Data(b"tick"), Step::Data(b"tick"), Step::Data(b"tick")];
    let response = trial.answering(scripted(steps)).oneshot(get()).await.unwrap();
    let mut body = Box::pin(response.into_body());
    body.frame().await.unwrap().ok().unwrap();
    assert_eq!(trial.bench.request_lines().len(), 0);
    trial.bench.clock.advance(Duration::from_secs(60));
    body.frame().await.unwrap().ok().unwrap();
    let line = trial.agreed();
    assert_eq!((&line["outcome"], &line["held"]), (&"success".into(), &true.into()));
    assert_eq!((&line["response_bytes"], &line["duration_ms"]), (&8.into(), &60_025.0.into()));
    let rest = body.frame().await.unwrap().ok().unwrap();
    assert_eq!(rest.into_data().unwrap(), "tick", "the client gets the rest");
    drop(body);
    trial.agreed();
}
