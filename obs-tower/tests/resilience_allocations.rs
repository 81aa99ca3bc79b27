//! Nothing on the path of a request that is let in allocates: each layer, each clone, each time.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::measure;
use http::{Request, Response, request};
use obs_core::admit::{Admission, Admit, Permit};
use obs_core::circuit::{CircuitBreaker, CircuitBreakerConfig, SlidingWindow};
use obs_tower::bulkhead::{Bulkhead, BulkheadConfig, BulkheadLayer, Place, Share};
use obs_tower::circuit_breaker::CircuitBreakerLayer;
use obs_tower::guard::GuardLayer;
use obs_tower::load_shed::{LoadShed, LoadShedConfig, LoadShedLayer};
use obs_tower::priority::Priority;
use obs_tower::timeout::{TimeLimiter, TimeoutLayer};
use tower::{Layer, Service};

/// A body without any allocation, that can be made of a refusal's bytes.
#[derive(Clone, Copy, Debug)]
struct Nothing;

impl From<bytes::Bytes> for Nothing {
    fn from(_: bytes::Bytes) -> Self {
        Self
    }
}

#[derive(Clone, Copy)]
struct Unit;

impl Service<Request<()>> for Unit {
    type Response = Response<Nothing>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Nothing>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new(Nothing)))
    }
}

/// Allocations of 1,000 calls through `layer`, each on a clone of the service.
fn allocations<L>(layer: L) -> u64
where
    L: Layer<Unit>,
    L::Service: Service<Request<()>, Response = Response<Nothing>, Error = Infallible> + Clone,
{
    let service = layer.layer(Unit);
    let mut context = Context::from_waker(Waker::noop());
    let mut calls = |count: u32| {
        for _ in 0..count {
            let mut service = service.clone();
            assert!(service.poll_ready(&mut context).is_ready());
            let mut call = pin!(service.call(Request::new(())));
            let Poll::Ready(Ok(response)) = call.as_mut().poll(&mut context) else {
                panic!("a unit service answers at once")
            };
            assert_eq!(response.status(), 200);
        }
    };
    calls(10);
    measure(|| calls(1_000)).count_total
}

const VALID: &str = "the configuration is valid";

fn breaker() -> CircuitBreaker {
    let config =
        CircuitBreakerConfig::new().sliding_window(SlidingWindow::Time(Duration::from_secs(30)));
    CircuitBreaker::builder("breaker").config(config).build().expect(VALID)
}

fn bulkhead() -> Bulkhead {
    let config = BulkheadConfig::new().max_wait_duration(Duration::from_secs(1));
    Bulkhead::builder("bulkhead").config(config).build().expect(VALID)
}

fn shed() -> LoadShed {
    LoadShed::builder("shed").build().expect(VALID)
}

fn limiter() -> TimeLimiter {
    TimeLimiter::builder("limiter").build().expect(VALID)
}

#[derive(Debug)]
struct Everybody;

impl Admit for Everybody {
    fn admit(&self, _: &request::Parts) -> Admission {
        Admission::Admitted(Permit::new())
    }
}

#[test]
fn res_g9_no_pattern_allocates_for_a_request_that_it_lets_in() {
    fn tenant(_: &Request<()>) -> Place<'_> {
        Place::default().share(Share::of("acme"))
    }
    assert_eq!(allocations(CircuitBreakerLayer::new(breaker())), 0);
    assert_eq!(allocations(BulkheadLayer::new(bulkhead())), 0);
    assert_eq!(allocations(TimeoutLayer::new(limiter())), 0);
    assert_eq!(allocations(LoadShedLayer::new(shed())), 0);
    let held = bulkhead();
    let _other = held.try_acquire(Place::default().share(Share::of("acme"))).unwrap();
    assert_eq!(allocations(BulkheadLayer::new(held.clone()).place_by(tenant)), 0);
}

/// Allocations of a refusal, with its response.
fn allocations_refused<L>(layer: L) -> u64
where
    L: Layer<Unit>,
    L::Service: Service<Request<()>, Response = Response<Nothing>, Error = Infallible>,
{
    let mut service = layer.layer(Unit);
    let mut context = Context::from_waker(Waker::noop());
    let mut call = || {
        let mut call = pin!(service.call(Request::new(())));
        let Poll::Ready(Ok(response)) = call.as_mut().poll(&mut context) else {
            panic!("a refusal is answered at once")
        };
        assert_eq!(response.status(), 503);
        assert!(response.headers().contains_key("retry-after"));
    };
    // The first renders what all have in common.
    call();
    measure(call).count_total
}

#[test]
fn res_l9_a_refusal_with_its_response_costs_eight_allocations_at_most() {
    let open = breaker();
    open.force_open(Some(Duration::from_secs(60)));
    assert!(allocations_refused(CircuitBreakerLayer::new(open)) <= 8);
    let config = LoadShedConfig::new().min_limit(1).initial_limit(1).max_limit(1);
    let shed = LoadShed::builder("full").config(config).build().expect(VALID);
    let _taken = shed.try_acquire(Priority::Normal).unwrap();
    assert!(allocations_refused(LoadShedLayer::new(shed)) <= 8);
    let full = Bulkhead::builder("full").config(BulkheadConfig::new().max_concurrent_calls(1));
    let full = full.build().expect(VALID);
    let _inside = full.try_acquire(Place::default()).unwrap();
    assert!(allocations_refused(BulkheadLayer::new(full)) <= 8);
}

#[test]
fn res_g9_the_guard_with_all_parts_does_not_allocate() {
    let guard = GuardLayer::builder()
        .rate_limit(Arc::new(Everybody))
        .load_shed(shed())
        .bulkhead(bulkhead())
        .circuit_breaker(breaker())
        .time_limiter(limiter())
        .build();
    assert_eq!(allocations(guard), 0);
}
