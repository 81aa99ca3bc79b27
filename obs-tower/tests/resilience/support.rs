//! The patterns as layers over one kind of service, and time that the tests move.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use obs_core::circuit::{CircuitBreaker, CircuitBreakerConfig};
use obs_core::clock::{Clock, Instant, TimeSource, Timestamp};
use obs_core::control::Control;
use obs_tower::bulkhead::{Bulkhead, BulkheadConfig, BulkheadLayer};
use obs_tower::circuit_breaker::CircuitBreakerLayer;
use obs_tower::fallback::FallbackLayer;
use obs_tower::guard::{GuardConfig, GuardLayer};
use obs_tower::load_shed::{LoadShed, LoadShedConfig, LoadShedLayer};
use obs_tower::retry::{ReplayBody, Retry, RetryConfig, RetryLayer};
use obs_tower::timeout::{TimeLimiter, TimeoutLayer};
use tower::util::{BoxCloneService, MapRequest};
use tower::{Layer, Service};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) type Body = Full<Bytes>;
pub(crate) type Answer = Result<Response<Body>, Infallible>;
pub(crate) type Boxed = BoxCloneService<Request<Body>, Response<Body>, Infallible>;

/// Reads the time of the tokio runtime in which it was made.
#[derive(Debug)]
struct RuntimeTime(tokio::time::Instant);

impl TimeSource for RuntimeTime {
    fn monotonic(&self) -> Instant {
        Instant::from_nanos(1_000_000_000) + self.0.elapsed()
    }

    fn wall(&self) -> Timestamp {
        Timestamp::from_unix_millis(1_767_225_600_000).saturating_add(self.0.elapsed())
    }
}

pub(crate) fn clock() -> Clock {
    Clock::custom(RuntimeTime(tokio::time::Instant::now()))
}

pub(crate) fn request() -> Request<Body> {
    Request::new(Full::default())
}

pub(crate) fn answer(status: u16) -> Answer {
    Ok(Response::builder().status(status).body(Full::default()).unwrap())
}

/// One of each pattern, and a guard with all of them, on one clock.
pub(crate) struct Patterns {
    pub(crate) clock: Clock,
    pub(crate) breaker: CircuitBreaker,
    pub(crate) bulkhead: Bulkhead,
    pub(crate) shed: LoadShed,
    pub(crate) limiter: TimeLimiter,
    retry: Retry,
    pub(crate) guard: GuardLayer,
}

impl Patterns {
    /// With room for two calls, a second for each, and a breaker that opens at the third failure.
    pub(crate) fn new() -> Self {
        let clock = clock();
        let breaker_config = CircuitBreakerConfig::new().consecutive_failures_threshold(3);
        let bulkhead_config = BulkheadConfig::new().max_concurrent_calls(2);
        let shed_config = LoadShedConfig::new().initial_limit(4);
        let breaker = CircuitBreaker::builder("p").config(breaker_config.clone());
        let bulkhead = Bulkhead::builder("p").config(bulkhead_config.clone());
        let shed = LoadShed::builder("p").config(shed_config.clone());
        let guard = GuardConfig::new()
            .timeout_duration(SECOND)
            .load_shed(shed_config)
            .bulkhead(bulkhead_config)
            .circuit_breaker(breaker_config)
            .clock(clock.clone())
            .guard("p");
        let retry = Retry::builder("p").config(RetryConfig::new().max_attempts(1));
        let limiter = TimeLimiter::builder("p").timeout_duration(SECOND);
        Self {
            breaker: breaker.clock(clock.clone()).build().unwrap(),
            bulkhead: bulkhead.clock(clock.clone()).build().unwrap(),
            shed: shed.clock(clock.clone()).build().unwrap(),
            limiter: limiter.clock(clock.clone()).build().unwrap(),
            retry: retry.clock(clock.clone()).build().unwrap(),
            guard: guard.unwrap().build(),
            clock,
        }
    }

    pub(crate) const NAMES: [&'static str; 7] =
        ["circuit_breaker", "bulkhead", "load_shed", "timeout", "fallback", "retry", "guard"];

    /// `inner` behind the pattern of this name.
    pub(crate) fn around<S>(&self, name: &str, inner: S) -> Boxed
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send,
    {
        match name {
            "circuit_breaker" => {
                Boxed::new(CircuitBreakerLayer::new(self.breaker.clone()).layer(inner))
            }
            "bulkhead" => Boxed::new(BulkheadLayer::new(self.bulkhead.clone()).layer(inner)),
            "load_shed" => Boxed::new(LoadShedLayer::new(self.shed.clone()).layer(inner)),
            "timeout" => Boxed::new(TimeoutLayer::new(self.limiter.clone()).layer(inner)),
            "fallback" => Boxed::new(FallbackLayer::value(|_| answer(299)).layer(inner)),
            "retry" => {
                let plain = |request: Request<ReplayBody<Body>>| request.map(|_| Body::default());
                let inner = MapRequest::new(inner, plain);
                Boxed::new(RetryLayer::new(self.retry.clone()).layer(inner))
            }
            "guard" => Boxed::new(self.guard.layer(inner)),
            other => panic!("no pattern is called {other}"),
        }
    }

    /// Asserts that no part of any pattern counts a call as under way.
    pub(crate) fn hold_nothing(&self, when: &str) {
        let of_breaker = |breaker: &CircuitBreaker| Control::snapshot(breaker)["in_flight"].clone();
        let guarded = &self.guard;
        for breaker in [&self.breaker, guarded.circuit_breaker().unwrap()] {
            assert_eq!(of_breaker(breaker), 0, "{when}");
        }
        for bulkhead in [&self.bulkhead, guarded.bulkhead().unwrap()] {
            assert_eq!((bulkhead.in_flight(), bulkhead.waiting()), (0, 0), "{when}");
        }
        for shed in [&self.shed, guarded.load_shed().unwrap()] {
            assert_eq!(shed.in_flight(), 0, "{when}");
        }
    }
}
