use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use obs_core::admit::{self, Admission, Admit, PendingAdmission, Refusal, Settle};
use obs_core::circuit::{CircuitBreaker, CircuitBreakerConfig, State};
use obs_core::clock::Clock;
use obs_core::deadline::Deadline;
use obs_core::outcome::{Outcome, Rejection};
use obs_core::problem::Problem;
use obs_core::random::Random;
use tokio::time::sleep;
use tower::util::BoxCloneService;
use tower::{Layer, ServiceExt, service_fn};

use super::*;
use crate::bulkhead::{Bulkhead, BulkheadConfig};
use crate::load_shed::{LoadShed, LoadShedConfig};
use crate::priority::Priority;
use crate::timeout::TimeLimiter;
use crate::virtual_time;

const SECOND: Duration = Duration::from_secs(1);

/// A limit that answers as it is told and remembers how requests ended.
#[derive(Clone, Debug, Default)]
struct Limit(Arc<Mutex<LimitState>>);

#[derive(Debug, Default)]
struct LimitState {
    refuses: bool,
    asks_a_store: bool,
    settled: Vec<Option<Outcome>>,
}

#[derive(Debug)]
struct Remember(Limit);

impl Settle for Remember {
    fn settle(self: Box<Self>, outcome: Option<Outcome>) {
        self.0.0.lock().unwrap().settled.push(outcome);
    }
}

impl Limit {
    fn answer(&self) -> Admission {
        if self.0.lock().unwrap().refuses {
            let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS);
            let mut refusal = Refusal::new("tenant", problem, SECOND);
            refusal.headers.insert("retry-after", 1.into());
            return Admission::Refused(Box::new(refusal));
        }
        let mut headers = http::HeaderMap::new();
        headers.insert("ratelimit", http::HeaderValue::from_static("\"tenant\";r=9"));
        let permit = admit::Permit::new().settled_by(Remember(self.clone()));
        Admission::Admitted(permit.with_headers(headers))
    }

    fn settled(&self) -> Vec<Option<Outcome>> {
        self.0.lock().unwrap().settled.clone()
    }
}

impl Admit for Limit {
    fn admit(&self, _: &http::request::Parts) -> Admission {
        let limit = self.clone();
        if self.0.lock().unwrap().asks_a_store {
            return Admission::Pending(PendingAdmission::new(async move {
                sleep(SECOND / 10).await;
                limit.answer()
            }));
        }
        self.answer()
    }
}

struct Bench {
    limit: Limit,
    shed: LoadShed,
    bulkhead: Bulkhead,
    breaker: CircuitBreaker,
    limiter: TimeLimiter,
    guard: GuardLayer,
    clock: Clock,
}

fn bench() -> Bench {
    let clock = virtual_time::clock();
    let limit = Limit::default();
    let shed = LoadShedConfig::new().initial_limit(100);
    let shed = LoadShed::builder("t").config(shed).clock(clock.clone()).build().unwrap();
    let config = BulkheadConfig::new().max_concurrent_calls(2).max_wait_duration(SECOND);
    let bulkhead = Bulkhead::builder("t").config(config).clock(clock.clone()).build().unwrap();
    let config = CircuitBreakerConfig::new().consecutive_failures_threshold(3);
    let breaker = CircuitBreaker::builder("t").config(config).clock(clock.clone());
    let breaker = breaker.build().unwrap();
    let limiter = TimeLimiter::builder("t").timeout_duration(5 * SECOND).clock(clock.clone());
    let limiter = limiter.build().unwrap();
    let guard = GuardLayer::builder()
        .clock(clock.clone())
        .rate_limit(Arc::new(limit.clone()))
        .load_shed(shed.clone())
        .bulkhead(bulkhead.clone())
        .circuit_breaker(breaker.clone())
        .time_limiter(limiter.clone())
        .build();
    Bench { limit, shed, bulkhead, breaker, limiter, guard, clock }
}

/// Waits as long as the request says, and answers with its status.
async fn answer(request: Request<(u64, u16)>) -> Result<Response<Bytes>, Infallible> {
    let (millis, status) = *request.body();
    if millis > 0 {
        sleep(Duration::from_millis(millis)).await;
    }
    assert_ne!(status, 0, "a handler that panics");
    Ok(Response::builder().status(status).body(Bytes::new()).unwrap())
}

impl Bench {
    fn service(&self) -> BoxCloneService<Request<(u64, u16)>, Response<Bytes>, Infallible> {
        BoxCloneService::new(self.guard.layer(service_fn(answer)))
    }

    async fn ask(&self, millis: u64, status: u16) -> Response<Bytes> {
        self.service().oneshot(Request::new((millis, status))).await.unwrap()
    }

    fn holds_nothing(&self) {
        assert_eq!(
            (self.shed.in_flight(), self.bulkhead.in_flight(), self.bulkhead.waiting()),
            (0, 0, 0)
        );
        let snapshot = obs_core::control::Control::snapshot(&self.breaker);
        assert_eq!(snapshot["in_flight"], 0);
    }
}

#[tokio::test(start_paused = true)]
async fn all_parts_learn_the_same_verdict() {
    let bench = bench();
    let response = bench.ask(0, 200).await;
    assert_eq!(response.headers()["ratelimit"], "\"tenant\";r=9");
    bench.ask(10, 500).await;
    assert_eq!(bench.limit.settled(), [Some(Outcome::Success), Some(Outcome::ServerError)]);
    let totals = bench.breaker.totals();
    assert_eq!((totals.calls, totals.failures), (2, 1));
    bench.holds_nothing();
}

#[tokio::test(start_paused = true)]
async fn res_o2_a_refusal_comes_from_exactly_one_part_and_gives_the_others_back() {
    for by in [
        Rejection::Deadline,
        Rejection::RateLimit,
        Rejection::LoadShed,
        Rejection::Bulkhead,
        Rejection::CircuitBreaker,
    ] {
        let bench = bench();
        let mut held = (Vec::new(), Vec::new());
        let place = crate::bulkhead::Place::default;
        let mut deadline = None;
        match by {
            Rejection::Deadline => deadline = Some(Deadline::at(bench.clock.now()).enter()),
            Rejection::RateLimit => bench.limit.0.lock().unwrap().refuses = true,
            Rejection::LoadShed => {
                held.0.extend(std::iter::from_fn(|| bench.shed.try_acquire(Priority::Normal).ok()))
            }
            Rejection::Bulkhead => {
                held.1.extend(std::iter::from_fn(|| bench.bulkhead.try_acquire(place()).ok()))
            }
            _ => bench.breaker.force_open(None),
        }
        let call = bench.service().oneshot(Request::new((0, 200)));
        let mut call = std::pin::pin!(call);
        let first = std::future::Future::poll(
            call.as_mut(),
            &mut std::task::Context::from_waker(std::task::Waker::noop()),
        );
        drop(deadline);
        let response = match first {
            std::task::Poll::Ready(response) => response.unwrap(),
            std::task::Poll::Pending => call.await.unwrap(),
        };
        assert_eq!(response.extensions().get(), Some(&Outcome::Rejected(by)));
        drop(held);
        bench.holds_nothing();
        assert_eq!(bench.breaker.totals().calls, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn res_c15_a_backend_that_hangs_opens_the_breaker() {
    let bench = bench();
    for _ in 0..3 {
        assert_eq!(bench.ask(3_600_000, 200).await.status(), 504);
    }
    assert_eq!(bench.breaker.state(), State::Open);
    assert_eq!(bench.limiter.exceeded(), 3);
    assert_eq!(bench.limit.settled(), [Some(Outcome::DeadlineExceeded); 3]);
    bench.holds_nothing();
    assert_eq!(bench.ask(0, 200).await.status(), 503);
}

#[tokio::test(start_paused = true)]
async fn res_o1_a_panic_is_one_failure_for_all() {
    let bench = bench();
    let call = bench.service().oneshot(Request::new((1, 0)));
    let tasks = tokio::task::LocalSet::new();
    let joined = tasks.run_until(async { tokio::task::spawn_local(call).await }).await;
    assert!(joined.unwrap_err().is_panic());
    assert_eq!(bench.limit.settled(), [Some(Outcome::Panic)]);
    assert_eq!(bench.breaker.totals().failures, 1);
    bench.holds_nothing();
}

#[tokio::test(start_paused = true)]
async fn res_o3_a_caller_that_goes_away_is_no_news_about_the_service() {
    let bench = bench();
    let call = bench.service().oneshot(Request::new((1_000, 200)));
    assert!(tokio::time::timeout(SECOND / 10, call).await.is_err());
    assert_eq!(bench.limit.settled(), [None]);
    assert_eq!(bench.breaker.totals().calls, 0);
    bench.holds_nothing();
}

#[tokio::test(start_paused = true)]
async fn waiting_for_room_counts_against_the_time_limit() {
    let bench = bench();
    bench.limiter.set_timeout_duration(SECOND / 2).unwrap();
    let _held = [0, 1].map(|_| bench.bulkhead.try_acquire(Default::default()).unwrap());
    let started = bench.clock.now();
    let response = bench.ask(0, 200).await;
    assert_eq!(response.status(), 504);
    assert!(bench.clock.now() - started < SECOND);
    assert_eq!(bench.breaker.totals().calls, 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waited_for_room_goes_through_the_breaker_then() {
    let bench = bench();
    let calls = [bench.ask(300, 200), bench.ask(300, 200), bench.ask(300, 200)];
    let [a, b, c] = calls;
    let (a, b, c) = tokio::join!(a, b, c);
    assert!([a, b, c].iter().all(|response| response.status() == 200));
    assert_eq!(bench.breaker.totals().calls, 3);
    bench.holds_nothing();
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_may_ask_a_store() {
    let bench = bench();
    bench.limit.0.lock().unwrap().asks_a_store = true;
    assert_eq!(bench.ask(0, 200).await.status(), 200);
    bench.limit.0.lock().unwrap().refuses = true;
    let refused = bench.ask(0, 200).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "1");
    bench.holds_nothing();
}

#[tokio::test(start_paused = true)]
async fn res_l10_health_routes_pass_an_open_breaker_and_a_full_bulkhead() {
    let bench = bench();
    bench.breaker.force_open(None);
    let request = Request::get("/livez").body((0, 200)).unwrap();
    assert_eq!(bench.service().oneshot(request).await.unwrap().status(), 200);
}

#[tokio::test(start_paused = true)]
async fn res_l10_health_routes_pass_a_rate_limit_that_refuses_everything() {
    let bench = bench();
    bench.limit.0.lock().unwrap().refuses = true;
    for (path, status) in [("/health", 200), ("/orders", 429)] {
        let request = Request::get(path).body((0, 200)).unwrap();
        assert_eq!(bench.service().oneshot(request).await.unwrap().status(), status);
    }
}

fn path(request: &Request<(u64, u16)>) -> std::borrow::Cow<'_, str> {
    request.uri().path().into()
}

fn exports_may_take_longer(request: &Request<(u64, u16)>) -> Option<Duration> {
    (request.uri().path() == "/export").then_some(10 * SECOND)
}

fn config(clock: &Clock) -> GuardConfig<'static> {
    GuardConfig::new().timeout_duration(SECOND).clock(clock.clone())
}

#[tokio::test(start_paused = true)]
async fn a_request_can_have_a_limit_of_its_own() {
    let guard = config(&virtual_time::clock()).guard("g").unwrap();
    let service = guard.limit_by(exports_may_take_longer).build().layer(service_fn(answer));
    for (path, status) in [("/export", 200), ("/order", 504)] {
        let request = Request::get(path).body((2_000, 200)).unwrap();
        assert_eq!(service.clone().oneshot(request).await.unwrap().status(), status, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn res_c20_each_key_has_a_breaker_of_its_own_also_after_a_wait() {
    let clock = virtual_time::clock();
    let breaker = CircuitBreakerConfig::new().consecutive_failures_threshold(1);
    let bulkhead = BulkheadConfig::new().max_concurrent_calls(1).max_wait_duration(SECOND / 2);
    let guard = config(&clock).bulkhead(bulkhead).circuit_breaker_per_key(breaker, 10);
    let guard = guard.guard("g").unwrap().breaker_by(path).build();
    let service = guard.layer(service_fn(answer));
    let ask = |path: &str, status| {
        let request = Request::get(path).body((100, status)).unwrap();
        let service = service.clone();
        async move { service.oneshot(request).await.unwrap().status().as_u16() }
    };
    assert_eq!(tokio::join!(ask("/a", 500), ask("/b", 200)), (500, 200));
    assert_eq!(tokio::join!(ask("/b", 200), ask("/a", 200)), (200, 503));
    let breakers = guard.circuit_breakers().unwrap();
    assert_eq!((breakers.len(), guard.circuit_breaker().is_some()), (2, false));
}

#[test]
fn one_configuration_builds_registers_and_names_all_parts() {
    use obs_core::control::{Kind, Registry};

    let registry = Registry::default();
    let whole = || {
        GuardConfig::new()
            .timeout_duration(SECOND)
            .load_shed(LoadShedConfig::new())
            .bulkhead(BulkheadConfig::new().max_concurrent_calls(7))
            .circuit_breaker(CircuitBreakerConfig::new().permitted_calls_in_half_open(3))
    };
    let guard = whole().controls(&registry).guard("orders").unwrap().build();
    for kind in [Kind::Timeout, Kind::LoadShed, Kind::Bulkhead, Kind::CircuitBreaker] {
        assert!(registry.get(kind, "orders").is_some(), "{kind:?}");
    }
    let control = registry.get(Kind::Bulkhead, "orders").unwrap();
    let action = obs_core::control::Action::new("configure").argument("max_concurrent_calls", 9);
    control.apply(&action).unwrap();
    let shown = obs_core::control::Control::snapshot(guard.bulkhead().unwrap());
    assert_eq!(shown["config"]["max_concurrent_calls"], 9, "the control is the guard's own part");
    assert_eq!(guard.time_limiter().unwrap().timeout_duration(), SECOND);
    for (broken, field) in [
        (whole().timeout_duration(Duration::ZERO), "timeout_duration"),
        (whole().load_shed(LoadShedConfig::new().min_limit(0)), "min_limit"),
        (whole().bulkhead(BulkheadConfig::new().max_concurrent_calls(0)), "max_concurrent_calls"),
        (
            whole().circuit_breaker(CircuitBreakerConfig::new().permitted_calls_in_half_open(0)),
            "permitted_calls_in_half_open",
        ),
        (whole().circuit_breaker_per_key(CircuitBreakerConfig::new(), 0), "max_keys"),
    ] {
        assert_eq!(broken.guard("orders").unwrap_err().field(), field);
    }
}

#[tokio::test(start_paused = true)]
async fn res_a4_in_shadow_mode_every_part_counts_and_lets_pass() {
    let clock = virtual_time::clock();
    let guard = config(&clock)
        .load_shed(LoadShedConfig::new().min_limit(1).initial_limit(1).shadow(true))
        .bulkhead(BulkheadConfig::new().max_concurrent_calls(1).shadow(true))
        .circuit_breaker(CircuitBreakerConfig::new().shadow(true));
    let guard = guard.guard("g").unwrap().build();
    guard.time_limiter().unwrap().set_shadow(true);
    guard.circuit_breaker().unwrap().force_open(None);
    let service = guard.layer(service_fn(answer));
    let ask = || service.clone().oneshot(Request::new((2_000, 200)));
    let (first, second) = tokio::join!(ask(), ask());
    assert_eq!(
        (first.unwrap().status(), second.unwrap().status()),
        (200.try_into().unwrap(), 200.try_into().unwrap())
    );
    assert_eq!(guard.load_shed().unwrap().shed(Priority::Normal), 1);
    assert_eq!(guard.bulkhead().unwrap().rejected(), 1);
    assert_eq!(guard.circuit_breaker().unwrap().counters().not_permitted, 2);
    assert_eq!(guard.time_limiter().unwrap().exceeded(), 2);
    assert_eq!(
        (guard.load_shed().unwrap().in_flight(), guard.bulkhead().unwrap().in_flight()),
        (0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn an_empty_guard_lets_everything_pass() {
    let service = GuardLayer::builder().build().layer(service_fn(answer));
    assert_eq!(service.oneshot(Request::new((0, 418))).await.unwrap().status(), 418);
}

#[tokio::test(start_paused = true)]
async fn res_o1_whatever_happens_every_request_has_one_verdict_and_nothing_stays_held() {
    let bench = bench();
    let random = Random::seeded(5);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..600_u64 {
        let (start, work, patience) =
            (random.next_u64() % 4_000, random.next_u64() % 700, random.next_u64() % 2_000);
        let status = [200, 404, 500, 503][(random.next_u64() % 4) as usize];
        let call = bench.service().oneshot(Request::new((work, status)));
        calls.spawn(async move {
            sleep(Duration::from_millis(start)).await;
            let _ = tokio::time::timeout(Duration::from_millis(patience), call).await;
        });
    }
    while calls.join_next().await.is_some() {}
    bench.holds_nothing();
    let settled = bench.limit.settled();
    assert!(settled.len() <= 600);
    assert!(settled.iter().any(Option::is_none));
    assert!(settled.contains(&Some(Outcome::Rejected(Rejection::Bulkhead))));
}
