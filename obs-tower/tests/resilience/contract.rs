//! What tower asks of every layer.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, Ready, pending, ready};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use axum::handler::Handler;
use http::{Request, Response};
use obs_tower::bulkhead::BulkheadLayer;
use obs_tower::circuit_breaker::CircuitBreakerLayer;
use obs_tower::load_shed::LoadShedLayer;
use obs_tower::priority::Priority;
use obs_tower::timeout::TimeoutLayer;
use tower::{Layer, Service, ServiceExt, service_fn};

use crate::support::{Answer, Body, Patterns, SECOND, answer, request};

/// Must be made ready before each call, and a clone is not.
#[derive(Default)]
struct NeedsReady {
    ready: bool,
    calls: Arc<AtomicUsize>,
}

impl Clone for NeedsReady {
    fn clone(&self) -> Self {
        Self { ready: false, calls: Arc::clone(&self.calls) }
    }
}

impl Service<Request<Body>> for NeedsReady {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Answer>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called without having been made ready");
        self.calls.fetch_add(1, Ordering::Relaxed);
        ready(answer(200))
    }
}

#[tokio::test(start_paused = true)]
async fn res_g1_every_layer_calls_the_instance_that_was_made_ready() {
    for name in Patterns::NAMES {
        let (patterns, inner) = (Patterns::new(), NeedsReady::default());
        let mut service = patterns.around(name, inner.clone());
        for _ in 0..3 {
            service.ready().await.unwrap().call(request()).await.unwrap();
        }
        assert_eq!(inner.calls.load(Ordering::Relaxed), 3, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn res_g1_a_call_that_waits_takes_the_ready_instance_along() {
    let patterns = Patterns::new();
    for (name, bulkhead) in
        [("bulkhead", &patterns.bulkhead), ("guard", patterns.guard.bulkhead().unwrap())]
    {
        bulkhead.reconfigure(bulkhead.config().max_wait_duration(SECOND / 2)).unwrap();
        let held = [0, 1].map(|_| bulkhead.try_acquire(Default::default()).unwrap());
        let mut service = patterns.around(name, NeedsReady::default());
        let mut call = service.ready().await.unwrap().call(request());
        assert!(pin!(&mut call).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(held);
        assert_eq!(call.await.unwrap().status(), 200, "{name}");
        let next = service.ready().await.unwrap().call(request());
        assert_eq!(next.await.unwrap().status(), 200, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn res_g2_g3_and_g4_a_clone_that_is_ready_holds_nothing() {
    for name in Patterns::NAMES {
        let patterns = Patterns::new();
        let mut service = patterns.around(name, NeedsReady::default());
        let mut idle = Vec::new();
        for _ in 0..100 {
            service.ready().await.unwrap();
            idle.push(service.clone());
            idle.last_mut().unwrap().ready().await.unwrap();
        }
        patterns.hold_nothing(name);
        assert_eq!(service.call(request()).await.unwrap().status(), 200, "{name}");
        drop(idle);
        patterns.hold_nothing(name);
    }
}

#[tokio::test(start_paused = true)]
async fn res_g5_every_layer_that_refuses_is_ready_and_refuses_in_call() {
    let patterns = Patterns::new();
    let guard = &patterns.guard;
    patterns.breaker.force_open(None);
    guard.circuit_breaker().unwrap().force_open(None);
    let _room = [0, 1].map(|_| patterns.bulkhead.try_acquire(Default::default()).unwrap());
    let _places: Vec<_> =
        std::iter::from_fn(|| patterns.shed.try_acquire(Priority::Normal).ok()).collect();
    for name in ["circuit_breaker", "bulkhead", "load_shed", "guard"] {
        let mut service = patterns.around(name, NeedsReady::default());
        let ready = service.ready().await.unwrap();
        assert_eq!(ready.call(request()).await.unwrap().status(), 503, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn res_g6_every_layer_applied_to_eight_routes_is_one_state() {
    let never = || service_fn(|_: Request<Body>| pending::<Answer>());
    for name in ["circuit_breaker", "bulkhead", "load_shed", "guard"] {
        let patterns = Patterns::new();
        // The guard's breaker learns of three calls that run into the time limit, the lone breaker
        // of three that fail, and the limits have all their room taken.
        let mut held = Vec::new();
        for _ in 0..3 {
            match name {
                "circuit_breaker" => {
                    let failing = service_fn(|_: Request<Body>| ready(answer(500)));
                    patterns.around(name, failing).oneshot(request()).await.unwrap();
                }
                "guard" => {
                    let answer = patterns.around(name, never()).oneshot(request()).await;
                    assert_eq!(answer.unwrap().status(), 504);
                }
                _ => {
                    let mut call = patterns.around(name, never()).oneshot(request());
                    _ = pin!(&mut call).poll(&mut Context::from_waker(Waker::noop()));
                    held.push(call);
                }
            }
        }
        for _ in 0..8 {
            let route = patterns.around(name, service_fn(|_: Request<Body>| ready(answer(200))));
            assert_eq!(route.oneshot(request()).await.unwrap().status(), 503, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn res_g6_a_guard_on_an_axum_handler_is_one_state_across_requests() {
    let patterns = Patterns::new();
    let handler = (async || http::StatusCode::INTERNAL_SERVER_ERROR).layer(patterns.guard.clone());
    let app = axum::Router::new().route("/", axum::routing::any_service(handler.with_state(())));
    let mut statuses = Vec::new();
    for _ in 0..4 {
        let request = Request::new(axum::body::Body::empty());
        statuses.push(app.clone().oneshot(request).await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [500, 500, 500, 503]);
}

/// Borrows from the stack and is not `Send`.
#[derive(Clone)]
struct Local<'a>(&'a Cell<u32>);

impl<'a> Service<Request<Body>> for Local<'a> {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = std::pin::Pin<Box<dyn Future<Output = Answer> + 'a>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        let calls = self.0;
        Box::pin(async move {
            calls.set(calls.get() + 1);
            answer(200)
        })
    }
}

#[tokio::test(start_paused = true)]
async fn res_g8_a_service_need_be_neither_send_nor_static() {
    let (patterns, calls) = (Patterns::new(), Cell::new(0));
    let breaker = CircuitBreakerLayer::new(patterns.breaker.clone()).layer(Local(&calls));
    let shed = LoadShedLayer::new(patterns.shed.clone()).layer(breaker);
    let bulkhead = BulkheadLayer::new(patterns.bulkhead.clone()).layer(shed);
    let timeout = TimeoutLayer::new(patterns.limiter.clone()).layer(bulkhead);
    let guard = patterns.guard.layer(timeout);
    assert_eq!(guard.oneshot(request()).await.unwrap().status(), 200);
    assert_eq!(calls.get(), 1);
}

/// Is never ready, and counts how often it is asked.
#[derive(Clone, Default)]
struct NeverReady(Arc<AtomicUsize>);

impl Service<Request<Body>> for NeverReady {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Answer>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Poll::Pending
    }

    fn call(&mut self, _: Request<Body>) -> Self::Future {
        ready(answer(200))
    }
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn res_g10_who_waits_for_readiness_is_woken_by_what_it_waits_for_alone() {
    for name in Patterns::NAMES {
        let (patterns, inner, wakes) = (Patterns::new(), NeverReady::default(), Arc::default());
        let mut service = patterns.around(name, inner.clone());
        let waker = Waker::from(Arc::<Wakes>::clone(&wakes));
        assert!(service.poll_ready(&mut Context::from_waker(&waker)).is_pending(), "{name}");
        tokio::time::sleep(10 * SECOND).await;
        assert_eq!(wakes.0.load(Ordering::Relaxed), 0, "{name}");
        assert_eq!(inner.0.load(Ordering::Relaxed), 1, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn res_g11_o4_and_t6_a_panic_stays_a_panic_and_nothing_stays_held() {
    for name in Patterns::NAMES {
        let patterns = Patterns::new();
        let inner = service_fn(|_: Request<Body>| async {
            tokio::task::yield_now().await;
            std::panic::resume_unwind(Box::new("handler"))
        });
        let inner = tower::util::MapResponse::new(inner, |response: Response<Body>| response);
        let call = tokio::spawn(patterns.around(name, inner).oneshot(request()));
        assert!(call.await.unwrap_err().is_panic(), "{name}");
        patterns.hold_nothing(name);
        let failures = match name {
            "circuit_breaker" => patterns.breaker.totals().failures,
            "guard" => patterns.guard.circuit_breaker().unwrap().totals().failures,
            _ => continue,
        };
        assert_eq!(failures, 1, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn res_o4_every_end_of_a_call_gives_everything_back() {
    for name in Patterns::NAMES {
        let patterns = Patterns::new();
        for status in [200, 404, 500] {
            let inner = service_fn(move |_: Request<Body>| ready(answer(status)));
            patterns.around(name, inner).oneshot(request()).await.unwrap();
            patterns.hold_nothing(name);
        }
        let never = service_fn(|_: Request<Body>| pending::<Answer>());
        let call = patterns.around(name, never).oneshot(request());
        assert!(tokio::time::timeout(SECOND / 10, call).await.is_err());
        patterns.hold_nothing(name);
    }
}
