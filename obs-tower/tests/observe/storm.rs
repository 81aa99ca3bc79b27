//! Requests that are cut off at any moment, in great number.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use obs_core::id::IdGenerator;
use obs_core::trace::AttributeValue;
use obs_tower::observe::ObserveLayer;
use tower::{Layer, Service, service_fn};

use crate::support::{Bench, Broken};

const REQUESTS: usize = 100_000;

/// Pending a number of times, then ready.
struct Countdown(u64);

impl Future for Countdown {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        match self.0.checked_sub(1) {
            None => Poll::Ready(()),
            Some(left) => {
                self.0 = left;
                Poll::Pending
            }
        }
    }
}

/// A body of random length that may fail in the end.
struct Chunks {
    left: u64,
    fails: bool,
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        Poll::Ready(match (self.left.checked_sub(1), self.fails) {
            (Some(left), _) => {
                self.left = left;
                Some(Ok(Frame::data(Bytes::from_static(b"chunk"))))
            }
            (None, true) => {
                self.fails = false;
                Some(Err(Broken))
            }
            (None, false) => None,
        })
    }
}

/// Sends one request, gives it a random number of polls, and drops what is left.
fn send(
    service: &mut impl Service<
        Request<()>,
        Response = Response<impl Body<Data = Bytes>>,
        Error = Infallible,
        Future: Future,
    >,
    patience: u64,
) {
    let mut task = Context::from_waker(Waker::noop());
    let mut future = Box::pin(service.call(Request::get("/").body(()).unwrap()));
    let mut patience = 0..patience;
    let response = loop {
        if patience.next().is_none() {
            return;
        }
        if let Poll::Ready(Ok(response)) = future.as_mut().poll(&mut task) {
            break response;
        }
    };
    let mut body = Box::pin(response.into_body());
    while patience.next().is_some() {
        match body.as_mut().poll_frame(&mut task) {
            Poll::Ready(Some(Ok(_))) | Poll::Pending => {}
            Poll::Ready(None | Some(Err(_))) => return,
        }
    }
}

#[test]
fn a_storm_of_cancellations_leaves_one_record_of_each_request() {
    let bench = Bench::new();
    let layer = ObserveLayer::new(bench.telemetry.clone());
    let dice = IdGenerator::seeded(42);
    let roll = |sides: u64| dice.random_u64() % sides;

    let inner = service_fn({
        let (dice, clock) = (dice.clone(), bench.clock.clone());
        move |_: Request<()>| {
            let random = dice.random_u64();
            clock.advance(Duration::from_millis(random % 7));
            async move {
                Countdown(random % 3).await;
                assert!(random % 50 != 0, "one in fifty panics");
                let status = [200, 204, 404, 503][(random >> 8) as usize % 4];
                let (left, fails) = ((random >> 16) % 4, (random >> 32) % 4 == 0);
                let body = Chunks { left, fails };
                Ok::<_, Infallible>(Response::builder().status(status).body(body).unwrap())
            }
        }
    });
    let mut service = layer.layer(inner);
    for batch in 0..REQUESTS / 1_000 {
        for _ in 0..1_000 {
            send(&mut service, roll(9));
        }
        bench.flush();
        assert_eq!(layer.in_flight().count(), 0, "after batch {batch}");
    }

    let (lines, spans) = (bench.request_lines(), bench.spans());
    assert_eq!((lines.len(), spans.len()), (REQUESTS, REQUESTS));
    let mut outcomes = BTreeMap::<&str, usize>::new();
    for (line, span) in lines.iter().zip(&spans) {
        let outcome = line["outcome"].as_str().unwrap();
        *outcomes.entry(outcome).or_default() += 1;
        assert_eq!(line["span_id"], span.span_id.to_string());
        assert_eq!(line["Requests"], 1);
        let in_span = span.attributes.get("outcome").and_then(AttributeValue::as_str);
        assert_eq!(in_span, Some(outcome));
        assert_eq!(line["Latency"].as_f64(), Some(span.duration().as_secs_f64() * 1e3));
    }
    let seen: Vec<_> = outcomes.keys().copied().collect();
    let expected = [
        "body_error",
        "cancelled_before_headers",
        "cancelled_in_body",
        "client_error",
        "panic",
        "server_error",
        "success",
    ];
    assert_eq!(seen, expected, "{outcomes:?}");
    let ledger = bench.telemetry.report();
    assert_eq!(ledger.lines.written, ledger.lines.created);
    assert_eq!(ledger.spans.exported, ledger.spans.created);
}
