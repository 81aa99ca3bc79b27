//! What the layers ask of a service, and what they leave as it is.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use futures_util::FutureExt;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use obs_core::environment::Environment;
use obs_tower::client::{self, Client, ClientLayer, LogicalCallLayer};
use obs_tower::observe::{self, Observe, ObserveLayer, RequestBodyLayer};
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::{Bench, Broken};

/// Compiles for as long as the layer asks for no more than this, boxes nothing, and its future and
/// body have names.
fn observed<S, A, B>(layer: &ObserveLayer, inner: S) -> Observe<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    A: 'static,
    B: Body,
    B::Data: 'static,
{
    type Answer<B, E> = Result<Response<observe::ResponseBody<B>>, E>;
    fn is_service<T, A, F, B, E>(service: T) -> T
    where
        T: Service<Request<A>, Future = observe::ResponseFuture<F>, Error = E>,
        observe::ResponseFuture<F>: Future<Output = Answer<B, E>>,
    {
        service
    }
    is_service::<_, A, S::Future, B, S::Error>(layer.layer(inner))
}

/// The same for the client, which asks for less.
fn calling<S, A, B>(layer: &ClientLayer, inner: S) -> Client<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    B: Body,
{
    fn is_service<T, A, F>(service: T) -> T
    where
        T: Service<Request<A>, Future = client::ResponseFuture<F>>,
    {
        service
    }
    is_service::<_, A, S::Future>(layer.layer(inner))
}

/// An error that can neither be printed nor sent.
struct Mute(#[allow(dead_code, reason = "it is only here not to be sent")] Rc<()>);

/// A chunk that is not `Bytes`, and cannot be sent.
struct Chunk(Rc<[u8]>, usize);

impl Buf for Chunk {
    fn remaining(&self) -> usize {
        self.0.len() - self.1
    }

    fn chunk(&self) -> &[u8] {
        &self.0[self.1..]
    }

    fn advance(&mut self, count: usize) {
        self.1 += count;
    }
}

/// A body of one such chunk, which cannot be moved once it is polled.
struct Awkward(bool, PhantomPinned);

impl Body for Awkward {
    type Data = Chunk;
    type Error = Mute;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Chunk>, Mute>>> {
        Poll::Ready((!self.0).then(|| Err(Mute(Rc::default()))))
    }

    fn is_end_stream(&self) -> bool {
        self.0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(if self.0 { 0 } else { 7 })
    }
}

#[test]
fn a_stack_that_can_neither_be_sent_nor_printed_nor_cloned_is_observed() {
    let bench = Bench::new();
    let layer = ObserveLayer::new(bench.telemetry.clone());
    let client = ClientLayer::new(bench.telemetry.clone());
    let state = Rc::new(());
    let mut service = observed(
        &layer,
        calling(
            &client,
            service_fn(move |request: Request<Rc<u8>>| {
                let _ = &state;
                ready(match **request.body() {
                    0 => Err(Mute(Rc::default())),
                    length => Ok(Response::new(Awkward(length == 1, PhantomPinned))),
                })
            }),
        ),
    );
    let mut outcomes = Vec::new();
    for kind in 0..3 {
        let request = Request::get("http://localhost/").body(Rc::new(kind)).unwrap();
        if let Ok(response) = service.call(request).now_or_never().unwrap() {
            let body = response.into_body();
            assert_eq!(
                (body.is_end_stream(), body.size_hint().exact()),
                (kind == 1, Some(if kind == 1 { 0 } else { 7 }))
            );
            assert_eq!(body.collect().now_or_never().unwrap().is_ok(), kind == 1);
        }
        outcomes.push(bench.request_lines().pop().unwrap()["outcome"].clone());
    }
    assert_eq!(outcomes, ["service_error", "success", "body_error"]);
    assert_eq!(layer.in_flight().count(), 0);
}

/// Answers only where it was polled ready, which a clone was not.
struct Particular {
    ready: bool,
}

impl Clone for Particular {
    fn clone(&self) -> Self {
        Self { ready: false }
    }
}

impl<B> Service<Request<B>> for Particular {
    type Response = Response<Full<Bytes>>;
    type Error = Broken;
    type Future = Ready<Result<Response<Full<Bytes>>, Broken>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called without having been polled ready");
        ready(Ok(Response::new(Full::new(Bytes::new()))))
    }
}

#[tokio::test]
async fn the_instance_that_was_made_ready_is_the_one_that_is_called() {
    let bench = Bench::new();
    let logical = LogicalCallLayer::new(bench.telemetry.clone(), "call");
    let client = ClientLayer::new(bench.telemetry.clone());
    let inner = logical.layer(client.layer(Particular { ready: false }));
    let layer = ObserveLayer::new(bench.telemetry.clone());
    let mut service = layer.layer(RequestBodyLayer.layer(inner));
    for _ in 0..3 {
        let request = Request::get("http://localhost/").body(Full::<Bytes>::default()).unwrap();
        let ready = ServiceExt::<Request<Full<Bytes>>>::ready(&mut service).await.unwrap();
        assert_eq!(ready.call(request).await.unwrap().status(), 200);
    }
    assert!(bench.request_lines().iter().all(|line| line["outcome"] == "success"));
}

/// Never becomes ready.
struct Unready;

impl Service<Request<()>> for Unready {
    type Response = Response<Full<Bytes>>;
    type Error = Broken;
    type Future = Ready<Result<Response<Full<Bytes>>, Broken>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Err(Broken))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Err(Broken))
    }
}

#[tokio::test]
async fn an_error_of_readiness_is_passed_on_and_is_no_request() {
    let bench = Bench::new();
    let client = ClientLayer::new(bench.telemetry.clone()).layer(Unready);
    let mut service = ObserveLayer::new(bench.telemetry.clone()).layer(client);
    std::future::poll_fn(|task| service.poll_ready(task)).await.unwrap_err();
    assert!(bench.lines().is_empty() && bench.spans().is_empty());
}

#[tokio::test]
async fn services_made_with_clones_of_a_layer_share_what_is_in_flight() {
    let bench = Bench::new();
    let layer = ObserveLayer::new(bench.telemetry.clone());
    let pending =
        |_: Request<()>| std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>();
    let mut services = [layer.layer(service_fn(pending)), layer.clone().layer(service_fn(pending))];
    let running = services.each_mut().map(|service| service.call(Request::new(())));
    assert_eq!(layer.in_flight().count(), 2);
    drop(running);
    assert_eq!(layer.in_flight().count(), 0);
}

#[tokio::test]
async fn a_span_that_waits_for_its_exporter_keeps_no_telemetry_alive() {
    let bench = Bench::with(|builder| {
        // No batch is due while the test runs.
        builder.environment(Environment::from([("OTEL_BSP_SCHEDULE_DELAY", "3600000")]))
    });
    let telemetry = bench.telemetry.downgrade();
    let layer = ObserveLayer::new(bench.telemetry.clone());
    let service = layer.layer(service_fn(async |_: Request<()>| {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"order 7"))))
    }));
    let request = Request::get("/orders/7").header("user-agent", "curl").body(()).unwrap();
    service.oneshot(request).await.unwrap().into_body().collect().await.unwrap();
    assert_eq!(bench.telemetry.tracer().ledger().pending, 1);
    drop((layer, bench));
    assert!(telemetry.upgrade().is_none(), "its lines would not be written at its end");
}
