use std::convert::Infallible;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use obs_core::clock::{Clock, Instant, TimeSource, Timestamp};
use obs_core::control::{Action, Registry};
use obs_core::deadline::Deadline;
use obs_core::outcome::Outcome;
use tokio::time::{advance, sleep};
use tower::{Layer, Service, ServiceExt, service_fn};

use super::*;
use crate::virtual_time;

const SECOND: Duration = Duration::from_secs(1);

fn limiter(limit: Duration) -> TimeLimiter {
    let builder = TimeLimiter::builder("test").clock(virtual_time::clock());
    builder.timeout_duration(limit).build().unwrap()
}

type Answer = Result<Response<Bytes>, Infallible>;

async fn after(wait: Request<Duration>) -> Answer {
    sleep(*wait.body()).await;
    Ok(Response::new(Bytes::new()))
}

async fn status(
    service: impl Service<Request<Duration>, Response = Response<Bytes>, Error = Infallible>,
    wait: Duration,
) -> u16 {
    service.oneshot(Request::new(wait)).await.unwrap().status().as_u16()
}

#[tokio::test(start_paused = true)]
async fn res_t1_the_inner_future_is_dropped_before_the_caller_hears_of_it() {
    struct Probe(Arc<AtomicBool>);
    impl Drop for Probe {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let dropped = Arc::new(AtomicBool::new(false));
    let probe = Arc::clone(&dropped);
    let inner = service_fn(move |_: Request<Duration>| {
        let probe = Probe(Arc::clone(&probe));
        async move {
            let _probe = probe;
            pending::<Answer>().await
        }
    });
    let limiter = limiter(SECOND);
    let mut call = Box::pin(
        TimeoutLayer::new(limiter.clone()).layer(inner).oneshot(Request::new(Duration::ZERO)),
    );
    let response = (&mut call).await.unwrap();
    assert!(dropped.load(Ordering::Relaxed), "while the outer future is still there");
    assert_eq!(response.status(), 504);
    assert_eq!(response.extensions().get(), Some(&Outcome::DeadlineExceeded));
    assert_eq!(limiter.exceeded(), 1);
}

#[tokio::test(start_paused = true)]
async fn res_t2_the_earlier_of_the_own_and_the_inherited_limit_counts() {
    for (inherited, waits, expected) in [
        (5 * SECOND, 3 * SECOND, 504), // own: 2 s
        (SECOND, Duration::from_millis(1_500), 504),
        (5 * SECOND, SECOND, 200),
    ] {
        let limiter = limiter(2 * SECOND);
        let started = limiter.clock().now();
        let mut service = TimeoutLayer::new(limiter.clone()).layer(service_fn(after));
        let call = {
            let _scope = Deadline::after(started, inherited).enter();
            service.call(Request::new(waits))
        };
        assert_eq!(call.await.unwrap().status().as_u16(), expected);
        let took = limiter.clock().now() - started;
        let least = waits.min(inherited).min(2 * SECOND);
        assert!(took >= least && took < least + Duration::from_millis(5), "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn res_t2_the_deadline_of_the_request_counts_too() {
    use obs_core::context::RequestContext;
    use obs_core::telemetry::Telemetry;

    let telemetry = Telemetry::builder("test").build().unwrap();
    let limiter = limiter(60 * SECOND);
    let deadline = Deadline::after(limiter.clock().now(), SECOND);
    let context = RequestContext::builder(&telemetry).deadline(deadline).build();
    let mut service = TimeoutLayer::new(limiter.clone()).layer(service_fn(after));
    let call = {
        let _request = context.enter();
        service.call(Request::new(30 * SECOND))
    };
    let started = limiter.clock().now();
    assert_eq!(call.await.unwrap().status(), 504);
    assert!(limiter.clock().now() - started < 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn res_t3_a_request_that_comes_too_late_never_reaches_the_handler() {
    let limiter = limiter(SECOND);
    let handler = service_fn(|_: Request<Duration>| -> std::future::Ready<Answer> {
        panic!("the handler ran")
    });
    let mut service = TimeoutLayer::new(limiter.clone()).layer(handler);
    let deadline = Deadline::at(limiter.clock().now());
    let call = {
        let _scope = deadline.enter();
        service.call(Request::new(Duration::ZERO))
    };
    assert_eq!(call.await.unwrap().status(), 504);
    assert_eq!(limiter.dead_on_arrival(), 1);
}

#[tokio::test(start_paused = true)]
async fn res_t4_what_runs_inside_sees_the_time_left_shrink() {
    let limiter = limiter(10 * SECOND);
    let clock = limiter.clock().clone();
    let inner = service_fn(move |_: Request<Duration>| {
        let clock = clock.clone();
        async move {
            let rest = || Deadline::current().unwrap().remaining(clock.now());
            assert_eq!(rest(), 10 * SECOND);
            sleep(3 * SECOND).await;
            assert!(rest() <= 7 * SECOND && rest() > 6 * SECOND);
            let reserve = SECOND;
            let outgoing = crate::deadline::remaining(&clock, reserve).unwrap();
            assert!(outgoing <= 6 * SECOND && outgoing > 5 * SECOND);
            Ok::<_, Infallible>(Response::new(Bytes::new()))
        }
    });
    assert_eq!(status(TimeoutLayer::new(limiter).layer(inner), SECOND).await, 200);
    assert_eq!(Deadline::current(), None, "the deadline ends with the poll");
}

#[tokio::test(start_paused = true)]
async fn an_operation_can_have_a_limit_of_its_own() {
    fn twice_as_long(request: &Request<Duration>) -> Option<Duration> {
        (request.uri() == "/export").then_some(4 * SECOND)
    }
    let service = TimeoutLayer::new(limiter(2 * SECOND)).limit_by(twice_as_long);
    let service = service.layer(service_fn(after));
    let ask = |uri| Request::builder().uri(uri).body(3 * SECOND).unwrap();
    assert_eq!(service.clone().oneshot(ask("/export")).await.unwrap().status(), 200);
    assert_eq!(service.oneshot(ask("/order")).await.unwrap().status(), 504);
}

/// A clock that can jump while the runtime's time stands still, as over a freeze.
#[derive(Clone, Debug, Default)]
struct Jumping(Arc<AtomicU64>);

impl TimeSource for Jumping {
    fn monotonic(&self) -> Instant {
        Instant::from_nanos(self.0.load(Ordering::Relaxed))
    }

    fn wall(&self) -> Timestamp {
        Timestamp::default()
    }
}

#[tokio::test(start_paused = true)]
async fn res_t8_a_process_that_was_frozen_gets_its_time_back_once() {
    for (answers_after, expected) in [(1_500, 200), (2_500, 504)] {
        let time = Jumping::default();
        let limiter = TimeLimiter::builder("t").clock(Clock::custom(time.clone()));
        let limiter = limiter.timeout_duration(SECOND).build().unwrap();
        let wait = Duration::from_millis(answers_after);
        let service = TimeoutLayer::new(limiter).layer(service_fn(after));
        let call = tokio::spawn(service.oneshot(Request::new(wait)));
        tokio::task::yield_now().await;
        time.0.store(3_600_000_000_000, Ordering::Relaxed);
        assert_eq!(call.await.unwrap().unwrap().status().as_u16(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn res_a1_and_a2_the_limit_changes_live_and_only_to_what_is_allowed() {
    let registry = Registry::default();
    let limiter = TimeLimiter::builder("api").clock(virtual_time::clock()).controls(&registry);
    let limiter = limiter.timeout_duration(SECOND).build().unwrap();
    let service = TimeoutLayer::new(limiter).layer(service_fn(after));
    assert_eq!(status(service.clone(), 2 * SECOND).await, 504);
    let control = registry.list().remove(0);
    let configure = |knob: &str, value: serde_json::Value| {
        control.apply(&Action::new("configure").argument(knob, value))
    };
    assert!(configure("timeout_duration_ms", 0.into()).is_err());
    assert!(configure("timeout", 1.into()).is_err());
    assert_eq!(control.snapshot()["config"]["timeout_duration_ms"], 1_000);
    configure("timeout_duration_ms", 3_000.into()).unwrap();
    assert_eq!(status(service, 2 * SECOND).await, 200);
}

#[tokio::test(start_paused = true)]
async fn res_a4_in_shadow_mode_a_late_call_is_counted_and_goes_on() {
    let limiter = TimeLimiter::builder("t").clock(virtual_time::clock()).shadow(true);
    let limiter = limiter.timeout_duration(SECOND).build().unwrap();
    let service = TimeoutLayer::new(limiter.clone()).layer(service_fn(after));
    assert_eq!(status(service, 5 * SECOND).await, 200);
    assert_eq!(limiter.exceeded(), 1);
}

struct Frames(Vec<Duration>, Option<Pin<Box<tokio::time::Sleep>>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.1.is_none() {
            let Some(wait) = self.0.pop() else { return Poll::Ready(None) };
            self.1 = Some(Box::pin(sleep(wait)));
        }
        std::task::ready!(self.1.as_mut().unwrap().as_mut().poll(context));
        self.1 = None;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"x")))))
    }
}

async fn read(
    waits: Vec<u64>,
    layer: BodyTimeoutLayer,
) -> (usize, Option<BodyTimeoutError<Infallible>>) {
    let waits: Vec<_> = waits.into_iter().rev().map(Duration::from_secs).collect();
    let inner = service_fn(move |_: Request<()>| {
        std::future::ready(Ok::<_, Infallible>(Response::new(Frames(waits.clone(), None))))
    });
    let body = layer.layer(inner).oneshot(Request::new(())).await.unwrap().into_body();
    let (mut body, mut frames) = (Box::pin(body), 0);
    loop {
        match std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await {
            None => return (frames, None),
            Some(Ok(_)) => frames += 1,
            Some(Err(error)) => return (frames, Some(error)),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn res_t7_idle_and_total_limits_of_a_body_are_distinct() {
    let layer = BodyTimeoutLayer::new(Some(3 * SECOND), Some(9 * SECOND)).unwrap();
    assert_eq!(read(vec![2, 2, 2], layer).await, (3, None));
    assert_eq!(read(vec![2, 4, 2], layer).await, (1, Some(BodyTimeoutError::Idle)));
    assert_eq!(read(vec![2; 9], layer).await, (4, Some(BodyTimeoutError::Total)));
    let unlimited = BodyTimeoutLayer::new(None, None).unwrap();
    assert_eq!(read(vec![2_000; 9], unlimited).await, (9, None));
    assert_eq!(BodyTimeoutLayer::new(Some(Duration::ZERO), None).unwrap_err().field(), "idle");
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_does_not_count_as_an_idle_body() {
    let layer = BodyTimeoutLayer::new(Some(SECOND), None).unwrap();
    let inner = service_fn(|_: Request<()>| {
        let frames = Frames(vec![Duration::ZERO; 2], None);
        std::future::ready(Ok::<_, Infallible>(Response::new(frames)))
    });
    let body = layer.layer(inner).oneshot(Request::new(())).await.unwrap().into_body();
    let mut body = Box::pin(body);
    for _ in 0..2 {
        advance(10 * SECOND).await;
        let frame = std::future::poll_fn(|context| body.as_mut().poll_frame(context)).await;
        assert!(frame.unwrap().is_ok());
    }
}

#[test]
fn the_limit_is_checked() {
    for limit in [Duration::ZERO, Duration::from_secs(86_401)] {
        let error = TimeLimiter::builder("t").timeout_duration(limit).build().unwrap_err();
        assert_eq!(error.field(), "timeout_duration");
    }
    assert_eq!(TimeLimiter::builder("").build().unwrap_err().field(), "name");
}
