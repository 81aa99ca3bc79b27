//! What goes wrong in telemetry, and what clients send, changes nothing for the client.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Condvar, Mutex};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use obs_core::output::Output;
use obs_core::telemetry::Telemetry;
use obs_tower::observe::{BodyLogging, ObserveLayer};
use tower::{Layer, ServiceExt, service_fn};

use crate::support::Bench;

/// Sends `request` through `layer` and asserts that the client gets what the handler answered.
async fn is_served(layer: &ObserveLayer, request: Request<Full<Bytes>>) {
    let service = layer.layer(service_fn(async |_: Request<_>| {
        let response = Response::builder().status(202).header("content-type", "application/json");
        Ok::<_, Infallible>(response.body(Full::new(Bytes::from_static(b"{}"))).unwrap())
    }));
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "{}");
    assert_eq!(layer.in_flight().count(), 0);
}

fn get() -> Request<Full<Bytes>> {
    Request::get("/").body(Full::default()).unwrap()
}

#[tokio::test]
async fn extractors_and_redactions_that_panic_are_left_out() {
    let bench = Bench::new();
    let layer = ObserveLayer::builder(bench.telemetry.clone())
        .route(|_| panic!("route"))
        .operation_name(|_| panic!("operation"))
        .tenant_id(|_| panic!("tenant"))
        .user_id(|_| panic!("user"))
        .log_response_body(BodyLogging::default().redact(|_| panic!("redaction")))
        .build()
        .unwrap();
    is_served(&layer, get()).await;
    let line = bench.request_line();
    assert_eq!((&line["status"], &line["route"]), (&202.into(), &"__unmatched__".into()));
    for absent in ["operation", "tenant_id", "user_id", "response_body"] {
        assert_eq!(line.get(absent), None);
    }
    let complaints = bench.lines().into_iter().filter(|line| line["level"] == "WARN").count();
    assert_eq!(complaints, 3, "for the first, second and fourth panic of an extractor");
}

/// A destination that never returns until it is let go.
#[derive(Clone, Default)]
pub(crate) struct Stuck(Arc<(Mutex<bool>, Condvar)>);

impl Stuck {
    pub(crate) fn let_go(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }
}

impl io::Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut free = self.0.0.lock().unwrap();
        while !*free {
            free = self.0.1.wait(free).unwrap();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_stuck_destination_and_a_full_queue_cost_lines_and_no_request() {
    let stuck = Stuck::default();
    let output =
        Output::builder().destination(stuck.clone()).capacity_bytes(64 * 1024).build().unwrap();
    let bench = Bench::with(|builder| builder.output(output));
    let layer = ObserveLayer::new(bench.telemetry.clone());
    for _ in 0..1_000 {
        is_served(&layer, get()).await;
    }
    let ledger = bench.telemetry.report().lines;
    assert_eq!(ledger.created, 1_000);
    stuck.let_go();
    bench.flush();
    let ledger = bench.telemetry.report().lines;
    assert!(ledger.written < 1_000 && ledger.dropped() > 0, "{ledger:?}");
    assert_eq!(ledger.created, ledger.written + ledger.dropped());
}

/// A destination that takes nothing.
#[derive(Debug)]
pub(crate) struct Dead;

impl io::Write for Dead {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_dead_destination_costs_lines_and_no_request() {
    let bench = Bench::with(|builder| builder.output(Output::writer(Dead)));
    let layer = ObserveLayer::new(bench.telemetry.clone());
    for _ in 0..10 {
        is_served(&layer, get()).await;
    }
    bench.flush();
    assert_eq!(bench.telemetry.report().lines.dropped(), 10);
}

#[tokio::test]
async fn telemetry_that_was_shut_down_still_serves() {
    let bench = Bench::new();
    let layer = ObserveLayer::new(bench.telemetry.clone());
    bench.telemetry.shutdown(std::time::Duration::from_secs(5));
    is_served(&layer, get()).await;
}

#[tokio::test]
async fn a_header_of_a_megabyte_is_cut_in_the_line_and_nowhere_else() {
    let bench = Bench::new();
    let logged = HeaderName::from_static("x-large");
    let builder = ObserveLayer::builder(bench.telemetry.clone());
    let layer = builder.log_header(logged.clone()).build().unwrap();
    let large = HeaderValue::from_bytes(&vec![b'x'; 1 << 20]).unwrap();
    let mut request = get();
    for name in ["x-large", "user-agent", "x-correlation-id", "traceparent", "baggage"] {
        request.headers_mut().insert(name, large.clone());
    }
    is_served(&layer, request).await;
    let lines = bench.request_lines();
    assert!(!lines.is_empty());
    let bytes: usize = lines.iter().map(|line| line.to_string().len()).sum();
    assert!(bytes < 600 * 1024, "{bytes}");
    assert_eq!(lines.iter().filter(|line| line.get("_aws").is_some()).count(), 1);
}

#[tokio::test]
async fn a_hostile_correlation_id_reaches_no_output() {
    let bench = Bench::new();
    let layer = ObserveLayer::new(bench.telemetry.clone());
    let mut request = get();
    let hostile = HeaderValue::from_bytes(b"<script>\"\xff").unwrap();
    request.headers_mut().insert("x-correlation-id", hostile);
    is_served(&layer, request).await;
    assert!(!bench.request_line().to_string().contains("script"));
}

#[tokio::test]
async fn bytes_that_are_no_text_are_replaced_in_the_line() {
    let bench = Bench::new();
    let builder = ObserveLayer::builder(bench.telemetry.clone());
    let layer = builder.log_header(HeaderName::from_static("x-raw")).build().unwrap();
    let mut request = get();
    let raw = HeaderValue::from_bytes(b"a\xff\xfeb").unwrap();
    request.headers_mut().insert("x-raw", raw.clone());
    request.headers_mut().insert("user-agent", raw);
    is_served(&layer, request).await;
    let line = bench.request_line();
    assert_eq!(
        (&line["header_x_raw"], &line["user_agent"]),
        (&"a\u{fffd}\u{fffd}b".into(), &"a\u{fffd}\u{fffd}b".into())
    );
}

#[tokio::test]
async fn two_services_in_one_process_never_mix_their_identities() {
    let benches = [Bench::named("orders"), Bench::named("cart")];
    let tasks: Vec<_> = (0..200)
        .map(|index| {
            let telemetry: Telemetry = benches[index % 2].telemetry.clone();
            let layer = ObserveLayer::new(telemetry.clone());
            tokio::spawn(async move {
                let service = layer.layer(service_fn(async |_: Request<()>| {
                    tokio::task::yield_now().await;
                    let name = obs_core::context::RequestContext::with_current(|context| {
                        context.telemetry().service_name().to_owned()
                    });
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(name.unwrap()))))
                }));
                let response = service.oneshot(Request::get("/").body(()).unwrap()).await.unwrap();
                let seen = response.into_body().collect().await.unwrap().to_bytes();
                assert_eq!(seen, telemetry.service_name());
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    for (bench, name) in benches.iter().zip(["orders", "cart"]) {
        let lines = bench.request_lines();
        assert_eq!(lines.len(), 100);
        assert!(lines.iter().all(|line| line["service"] == name && line["Service"] == name));
    }
}
