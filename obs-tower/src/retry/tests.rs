use std::convert::Infallible;
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use obs_core::control::{Action, Registry};
use obs_core::deadline::Deadline;
use obs_core::outcome::Rejection;
use proptest::prelude::*;
use tokio::time::Instant;
use tower::{BoxError, Layer, Service, ServiceExt, service_fn};

use super::*;
use crate::reject::Rejected;
use crate::virtual_time;

const MILLISECOND: Duration = Duration::from_millis(1);

fn config() -> RetryConfig {
    RetryConfig::new().backoff(Backoff::Fixed(100 * MILLISECOND)).jitter(Jitter::None)
}

fn retry(config: RetryConfig) -> Retry {
    Retry::builder("test").config(config).clock(virtual_time::clock()).build().unwrap()
}

type Body = Full<Bytes>;

/// What reached the inner service, and how it answers.
#[derive(Clone)]
struct Backend {
    calls: Arc<Mutex<Vec<(String, String)>>>,
    answer: fn(u32) -> Response<Bytes>,
}

impl Backend {
    fn new(answer: fn(u32) -> Response<Bytes>) -> Self {
        Self { calls: Arc::default(), answer }
    }

    fn failing() -> Self {
        Self::new(|_| status(503))
    }

    fn calls(&self) -> Vec<(String, String)> {
        self.calls.lock().unwrap().clone()
    }

    fn service(
        &self,
    ) -> impl Service<Request<ReplayBody<Body>>, Response = Response<Bytes>, Error = Infallible> + Clone
    {
        let backend = self.clone();
        service_fn(move |request: Request<ReplayBody<Body>>| {
            let backend = backend.clone();
            async move {
                let attempt = request.headers().get("x-request-attempt");
                let attempt = attempt.map_or("none".into(), |a| a.to_str().unwrap().to_owned());
                let body = request.into_body().collect().await.unwrap().to_bytes();
                let body = String::from_utf8(body.to_vec()).unwrap();
                let mut calls = backend.calls.lock().unwrap();
                calls.push((attempt, body));
                Ok((backend.answer)(u32::try_from(calls.len()).unwrap()))
            }
        })
    }

    async fn ask(&self, retry: &Retry, request: Request<Body>) -> Response<Bytes> {
        RetryLayer::new(retry.clone()).layer(self.service()).oneshot(request).await.unwrap()
    }
}

fn status(status: u16) -> Response<Bytes> {
    Response::builder().status(status).body(Bytes::new()).unwrap()
}

fn put(body: &'static str) -> Request<Body> {
    Request::put("/").body(Full::from(body)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn res_r1_no_more_than_the_permitted_attempts_reach_the_inner_service() {
    for attempts in [1, 2, 3, 7] {
        let backend = Backend::failing();
        let retry = retry(config().max_attempts(attempts).budget(1.0, 100));
        assert_eq!(backend.ask(&retry, put("x")).await.status(), 503);
        assert_eq!(backend.calls().len(), attempts as usize);
    }
}

#[tokio::test(start_paused = true)]
async fn res_r1_each_attempt_carries_its_number_and_the_same_body() {
    let backend = Backend::new(|call| status(if call < 3 { 500 } else { 200 }));
    let retry = retry(config());
    let started = Instant::now();
    assert_eq!(backend.ask(&retry, put("order")).await.status(), 200);
    let expected = ["1", "2", "3"].map(|attempt| (attempt.into(), "order".into()));
    assert_eq!(backend.calls(), expected);
    assert!(started.elapsed() >= 200 * MILLISECOND);
    assert_eq!(retry.counters().made, 2);
}

#[tokio::test(start_paused = true)]
async fn res_r2_the_ratio_of_retries_is_bounded_however_much_fails() {
    for ratio in [0.1, 0.3, 0.6] {
        let backend = Backend::new(|_| status(502));
        let retry = retry(config().max_attempts(10).budget(ratio, 10));
        for _ in 0..500 {
            backend.ask(&retry, put("")).await;
        }
        let calls = backend.calls().len() as f64;
        assert!(calls <= 500.0 * (1.0 + ratio) + 10.0, "{calls} at {ratio}");
        assert!(calls >= 500.0 * (1.0 + ratio), "the budget is used: {calls} at {ratio}");
        assert!(retry.counters().over_budget > 0);
    }
}

#[test]
fn res_r3_threads_share_exactly_the_tokens_there_are() {
    let budget = RetryBudget::new(0.0, 100).unwrap();
    let granted = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..100 {
                    granted.fetch_add(u32::from(budget.withdraw(1)), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!((granted.into_inner(), budget.tokens()), (100, 0));
}

#[tokio::test(start_paused = true)]
async fn res_r4_overload_costs_double() {
    for (code, expected) in [(500, 4), (503, 2), (429, 2)] {
        let retry = retry(config().max_attempts(100).budget(0.0, 4));
        let backend = match code {
            500 => Backend::new(|_| status(500)),
            503 => Backend::failing(),
            _ => Backend::new(|_| status(429)),
        };
        backend.ask(&retry, put("")).await;
        assert_eq!(backend.calls().len() - 1, expected, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn res_r5_and_r6_a_body_past_the_bound_is_sent_whole_and_once() {
    let backend = Backend::failing();
    let retry = retry(config().max_replay_bytes(4));
    backend.ask(&retry, put("four")).await;
    assert_eq!(backend.calls().len(), 3);
    let backend = Backend::failing();
    backend.ask(&retry, put("fives")).await;
    assert_eq!(backend.calls(), [("1".into(), "fives".into())]);
}

#[tokio::test(start_paused = true)]
async fn res_r7_only_what_is_idempotent_or_has_a_key_is_repeated() {
    let retry = retry(config().budget(1.0, 1_000));
    for (method, key, calls) in [
        (Method::GET, false, 3),
        (Method::DELETE, false, 3),
        (Method::POST, false, 1),
        (Method::PATCH, false, 1),
        (Method::POST, true, 3),
    ] {
        let backend = Backend::failing();
        let mut request = Request::new(Full::from("x"));
        *request.method_mut() = method.clone();
        if key {
            request.headers_mut().insert("idempotency-key", "k".parse().unwrap());
        }
        backend.ask(&retry, request).await;
        assert_eq!(backend.calls().len(), calls, "{method} {key}");
    }
}

#[tokio::test(start_paused = true)]
async fn res_r7_what_succeeded_or_is_the_callers_fault_is_not_repeated() {
    for code in [200, 302, 400, 404, 501] {
        let calls = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&calls);
        let inner = service_fn(move |_: Request<ReplayBody<Body>>| {
            count.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Ok::<_, Infallible>(status(code)))
        });
        RetryLayer::new(retry(config())).layer(inner).oneshot(put("")).await.unwrap();
        assert_eq!(calls.load(Ordering::Relaxed), 1, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn res_r8_what_the_server_asks_for_is_honoured_up_to_the_longest_wait() {
    for (name, value, waits) in [
        ("retry-after", "1", 1_000),
        ("retry-after", "60", 5_000),
        ("retry-after", "Thu, 01 Jan 2026 00:00:02 GMT", 2_000),
        ("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT", 5_000),
        ("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT", 100),
        ("x-amz-retry-after", "700", 700),
        ("grpc-retry-pushback-ms", "300", 300),
    ] {
        let step = 100 * MILLISECOND;
        let backoff = Backoff::Linear { step, max: 5_000 * MILLISECOND };
        let retry = retry(config().max_attempts(2).backoff(backoff));
        let inner = service_fn(move |_: Request<ReplayBody<Body>>| {
            let response = Response::builder().status(503).header(name, value).body(Bytes::new());
            std::future::ready(Ok::<_, Infallible>(response.unwrap()))
        });
        let started = Instant::now();
        RetryLayer::new(retry).layer(inner).oneshot(put("")).await.unwrap();
        let (waited, waits) = (started.elapsed(), waits * MILLISECOND);
        assert!(waited >= waits && waited < waits + 5 * MILLISECOND, "{name} {value}: {waited:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn res_r8_a_pushback_below_zero_forbids_a_retry() {
    let backend = Backend::new(|_| {
        let response = Response::builder().status(503).header("grpc-retry-pushback-ms", "-1");
        response.body(Bytes::new()).unwrap()
    });
    backend.ask(&retry(config()), put("")).await;
    assert_eq!(backend.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn res_r9_no_attempt_starts_without_time_for_it() {
    let retry = retry(config().minimum_useful_time(50 * MILLISECOND));
    let clock = virtual_time::clock();
    for (left, calls) in [(149, 1), (151, 2), (240, 2), (310, 3)] {
        let backend = Backend::failing();
        let deadline = Deadline::after(clock.now(), left * MILLISECOND);
        let call = backend.ask(&retry, put(""));
        let mut call = std::pin::pin!(call);
        std::future::poll_fn(|context| {
            let _scope = deadline.enter();
            call.as_mut().poll(context)
        })
        .await;
        assert_eq!(backend.calls().len(), calls, "{left} ms");
    }
    assert!(retry.counters().too_late >= 2);
}

#[tokio::test(start_paused = true)]
async fn res_r10_what_our_own_guards_refused_is_not_repeated() {
    let calls = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&calls);
    let inner = service_fn(move |_: Request<ReplayBody<Body>>| {
        count.fetch_add(1, Ordering::Relaxed);
        let rejected = Rejected::new(Rejection::CircuitBreaker, "b".into());
        std::future::ready(Ok::<Response<Bytes>, BoxError>(rejected.into_response()))
    });
    let layer = RetryLayer::new(retry(config()));
    assert_eq!(layer.layer(inner).oneshot(put("")).await.unwrap().status(), 503);
    let count = Arc::clone(&calls);
    let inner = service_fn(move |_: Request<ReplayBody<Body>>| {
        count.fetch_add(1, Ordering::Relaxed);
        let rejected = Rejected::new(Rejection::Bulkhead, "b".into());
        std::future::ready(Err::<Response<Bytes>, BoxError>(rejected.into()))
    });
    assert!(layer.layer(inner).oneshot(put("")).await.is_err());
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

/// A body that tells when it is read and when it is dropped.
struct Watched(Arc<Mutex<Vec<&'static str>>>);

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.lock().unwrap().push("read");
        std::task::Poll::Ready(None)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.lock().unwrap().push("dropped");
    }
}

#[tokio::test(start_paused = true)]
async fn res_r11_a_response_that_is_given_up_is_dropped_unread_before_the_wait() {
    let events = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&events);
    let inner = service_fn(move |_: Request<ReplayBody<Body>>| {
        log.lock().unwrap().push("called");
        let first = log.lock().unwrap().len() == 1;
        let response = Response::builder().status(if first { 503 } else { 200 });
        std::future::ready(Ok::<_, Infallible>(response.body(Watched(Arc::clone(&log))).unwrap()))
    });
    let mut call = Box::pin(RetryLayer::new(retry(config())).layer(inner).oneshot(put("")));
    assert!(tokio::time::timeout(MILLISECOND, &mut call).await.is_err());
    assert_eq!(*events.lock().unwrap(), ["called", "dropped"]);
    let response = call.await.unwrap();
    assert_eq!(*events.lock().unwrap(), ["called", "dropped", "called"]);
    response.into_body().collect().await.unwrap();
    assert_eq!(*events.lock().unwrap(), ["called", "dropped", "called", "read", "dropped"]);
}

#[tokio::test(start_paused = true)]
async fn res_r8_full_jitter_spreads_the_waits_of_a_policy() {
    let mut waits = std::collections::BTreeSet::new();
    for seed in 0..40 {
        let config = config().jitter(Jitter::Full).max_attempts(2);
        let retry = Retry::builder("j").config(config).clock(virtual_time::clock()).seed(seed);
        let started = Instant::now();
        let failed = |_| std::future::ready(Err::<(), _>("down"));
        assert!(retry.build().unwrap().run(failed, |_| Advice::retry()).await.is_err());
        waits.insert(started.elapsed().as_millis());
    }
    assert!(waits.len() > 20 && waits.iter().all(|wait| *wait <= 101), "{waits:?}");
}

#[test]
fn res_r3_a_call_that_succeeds_takes_no_lock() {
    let retry = retry(config());
    let held = retry.lock_config();
    let call = retry.run(|_| std::future::ready(Ok::<_, ()>(())), |_| Advice::done());
    let result = futures_util::FutureExt::now_or_never(call);
    drop(held);
    assert_eq!(result, Some(Ok(())));
}

#[tokio::test(start_paused = true)]
async fn res_r12_a_call_dropped_while_it_waits_makes_no_further_attempt() {
    let backend = Backend::failing();
    let retry = retry(config());
    let call = backend.ask(&retry, put(""));
    assert!(tokio::time::timeout(50 * MILLISECOND, call).await.is_err());
    tokio::time::sleep(10_000 * MILLISECOND).await;
    assert_eq!(backend.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn res_r13_of_nested_retries_only_the_outermost_repeats() {
    let backend = Backend::failing();
    let retry = retry(config());
    let inner = backend.service();
    let inner = tower::util::MapRequest::new(
        RetryLayer::new(retry.clone()).layer(service_fn(
            move |request: Request<ReplayBody<ReplayBody<Body>>>| {
                let inner = inner.clone();
                async move {
                    let (parts, body) = request.into_parts();
                    let bytes = body.collect().await.unwrap().to_bytes();
                    let body = ReplayBody::once(Full::from(bytes));
                    inner.oneshot(Request::from_parts(parts, body)).await
                }
            },
        )),
        |request: Request<ReplayBody<Body>>| request,
    );
    RetryLayer::new(retry).layer(inner).oneshot(put("x")).await.unwrap();
    assert_eq!(backend.calls().len(), 3, "not nine");
}

#[tokio::test(start_paused = true)]
async fn res_r13_a_request_of_a_caller_that_repeats_it_is_sent_once() {
    use obs_core::context::RequestContext;
    use obs_core::propagate::Extracted;
    use obs_core::telemetry::Telemetry;

    let telemetry = Telemetry::builder("test").build().unwrap();
    let mut extracted = Extracted::default();
    extracted.attempt = Some(1);
    let now = telemetry.clock().now();
    let context = RequestContext::builder(&telemetry).extracted(extracted, now).build();
    let (backend, retry) = (Backend::failing(), retry(config()));
    context.scope(backend.ask(&retry, put(""))).await;
    assert_eq!(backend.calls(), [("none".into(), String::new())]);
    let failed = |_| std::future::ready(Err::<(), _>("down"));
    assert!(context.scope(retry.run(failed, |_| Advice::retry())).await.is_err());
    assert_eq!(retry.counters().made, 0);
}

#[tokio::test(start_paused = true)]
async fn any_async_function_can_be_repeated() {
    let retry = retry(config());
    let result = retry
        .run(
            |attempt| std::future::ready(if attempt < 3 { Err("reset") } else { Ok(attempt) }),
            |result| if result.is_err() { Advice::retry() } else { Advice::done() },
        )
        .await;
    assert_eq!(result, Ok(3));
    let advice = Advice::overloaded().not_before(Some(Duration::ZERO));
    let result = retry.run(|_| std::future::ready(Err::<(), _>("down")), |_| advice).await;
    assert_eq!(result, Err("down"));
    assert_eq!(retry.counters().exhausted, 1);
}

#[tokio::test(start_paused = true)]
async fn res_r6_a_body_read_in_part_goes_on_where_the_attempt_before_stopped() {
    let chunks = ["a", "b", "c"].map(|c| Ok::<_, Infallible>(Frame::data(Bytes::from(c))));
    let body = StreamBody::new(futures_util::stream::iter(chunks));
    let mut first = ReplayBody::new(body, 100);
    let second = first.replay().unwrap();
    assert_eq!(first.frame().await.unwrap().unwrap().into_data().unwrap(), "a");
    drop(first);
    let third = second.replay().unwrap();
    assert_eq!(second.collect().await.unwrap().to_bytes(), "abc");
    assert_eq!(third.collect().await.unwrap().to_bytes(), "abc");
}

#[tokio::test(start_paused = true)]
async fn res_r6_a_replay_waits_for_the_attempt_before_to_let_go_of_the_body() {
    let first = ReplayBody::new(Full::from("late"), 100);
    let second = tokio::spawn(first.replay().unwrap().collect());
    tokio::task::yield_now().await;
    drop(first);
    assert_eq!(second.await.unwrap().unwrap().to_bytes(), "late");
}

#[tokio::test(start_paused = true)]
async fn res_r6_trailers_are_sent_again_too() {
    let trailers =
        http::HeaderMap::from_iter([(http::header::ETAG, http::HeaderValue::from_static("x"))]);
    let frames = [Frame::data(Bytes::from("a")), Frame::trailers(trailers.clone())];
    let body = StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, Infallible>)));
    let first = ReplayBody::new(body, 100);
    let second = first.replay().unwrap();
    assert_eq!(first.collect().await.unwrap().trailers(), Some(&trailers));
    let again = second.collect().await.unwrap();
    assert_eq!(again.trailers(), Some(&trailers));
    assert_eq!(again.to_bytes(), "a");
}

#[tokio::test(start_paused = true)]
async fn res_a1_a2_and_a4_knobs_change_live_and_shadow_counts_only() {
    let registry = Registry::default();
    let retry = Retry::builder("r").config(config()).controls(&registry).build().unwrap();
    let control = registry.list().remove(0);
    let configure = |knob: &str, value: serde_json::Value| {
        control.apply(&Action::new("configure").argument(knob, value))
    };
    assert!(configure("max_attempts", 0.into()).is_err());
    assert!(configure("budget_ratio", 1.5.into()).is_err());
    assert_eq!(control.snapshot()["config"]["max_attempts"], 3);
    configure("shadow", true.into()).unwrap();
    let backend = Backend::failing();
    backend.ask(&retry, put("")).await;
    assert_eq!((backend.calls().len(), retry.counters().made), (1, 1));
    configure("shadow", false.into()).unwrap();
    configure("max_attempts", 2.into()).unwrap();
    backend.ask(&retry, put("")).await;
    assert_eq!(backend.calls().len(), 3);
}

#[test]
fn each_setting_is_checked() {
    let exponential =
        |multiplier| Backoff::Exponential { initial: MILLISECOND, multiplier, max: MILLISECOND };
    for (config, field) in [
        (config().max_attempts(0), "max_attempts"),
        (config().max_attempts(101), "max_attempts"),
        (config().backoff(exponential(0.5)), "backoff.multiplier"),
        (config().backoff(Backoff::Fixed(Duration::MAX)), "backoff"),
        (config().budget(f64::NAN, 1), "budget.ratio"),
        (config().budget(0.5, 0), "budget.reserve"),
    ] {
        assert_eq!(Retry::builder("r").config(config).build().unwrap_err().field(), field);
    }
}

proptest! {
    #[test]
    fn res_r8_no_wait_exceeds_its_cap_nor_overflows(
        initial_ms in 0_u64..3_600_000, multiplier in 1.0..10.0, max_ms in 0_u64..3_600_000,
        retry: u32, random in 0.0..1.0,
    ) {
        let (initial, max) = (Duration::from_millis(initial_ms), Duration::from_millis(max_ms));
        for backoff in [
            Backoff::Exponential { initial, multiplier, max },
            Backoff::Linear { step: initial, max },
        ] {
            for jitter in [Jitter::Full, Jitter::TenPercent, Jitter::None] {
                prop_assert!(backoff.wait(retry, jitter, random) <= max);
            }
        }
        let forever = Backoff::Custom(Arc::new(|_| Duration::MAX));
        prop_assert!(forever.wait(retry, Jitter::Full, random) <= Duration::from_secs(3_600));
    }

    #[test]
    fn res_r8_jitter_spreads_as_it_says(random in 0.0..1.0_f64) {
        let wait = |jitter| Backoff::Fixed(Duration::from_secs(10)).wait(1, jitter, random);
        prop_assert_eq!(wait(Jitter::None), Duration::from_secs(10));
        prop_assert!(wait(Jitter::TenPercent) >= Duration::from_secs(9));
        prop_assert!((wait(Jitter::Full).as_secs_f64() - 10.0 * random).abs() < 1e-6);
    }
}
