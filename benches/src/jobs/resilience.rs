//! The service-mesh patterns over a service that does nothing: what each adds to a call.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use obs_core::circuit::{CircuitBreaker, CircuitBreakerConfig, SlidingWindow};
use obs_core::outcome::Outcome;
use obs_tower::bulkhead::{Bulkhead, BulkheadLayer};
use obs_tower::circuit_breaker::CircuitBreakerLayer;
use obs_tower::guard::GuardLayer;
use obs_tower::load_shed::{LoadShed, LoadShedLayer};
use obs_tower::timeout::{TimeLimiter, TimeoutLayer};
use tower::layer::util::Identity;
use tower::{Layer, Service};

use crate::Job;

const BARE: &str = "resilience/bare";

/// The jobs of this file. The ceilings are the promise, the targets what we aim at.
pub(super) fn jobs() -> Vec<Job> {
    vec![
        job(BARE, Identity::new),
        job("resilience/circuit_breaker", || CircuitBreakerLayer::new(breaker()))
            .beyond(BARE)
            .within(5_000, 15),
        job("resilience/circuit_breaker_refuses", || CircuitBreakerLayer::new(open_breaker()))
            .beyond(BARE)
            .within(5_000, 1_000),
        contended("resilience/circuit_breaker_two_threads").within(5_000, 40).unsteady(),
        job("resilience/bulkhead", || BulkheadLayer::new(bulkhead())).beyond(BARE).within(5_000, 8),
        job("resilience/timeout_ready", || TimeoutLayer::new(limiter()))
            .beyond(BARE)
            .within(5_000, 5),
        waiting("resilience/waiting_bare", Identity::new),
        waiting("resilience/timeout_waiting", || TimeoutLayer::new(limiter()))
            .beyond("resilience/waiting_bare")
            .within(5_000, 110),
        job("resilience/load_shed", || LoadShedLayer::new(shed())).beyond(BARE).within(5_000, 60),
        job("resilience/guard", guard).beyond(BARE).within(150_000, 100),
    ]
}

const VALID: &str = "the configuration is valid";

fn breaker() -> CircuitBreaker {
    let config =
        CircuitBreakerConfig::new().sliding_window(SlidingWindow::Time(Duration::from_secs(30)));
    CircuitBreaker::builder("breaker").config(config).build().expect(VALID)
}

fn open_breaker() -> CircuitBreaker {
    let breaker = breaker();
    breaker.force_open(None);
    breaker
}

fn bulkhead() -> Bulkhead {
    Bulkhead::builder("bulkhead").build().expect(VALID)
}

fn limiter() -> TimeLimiter {
    TimeLimiter::builder("limiter").build().expect(VALID)
}

fn shed() -> LoadShed {
    LoadShed::builder("shed").build().expect(VALID)
}

fn guard() -> GuardLayer {
    GuardLayer::builder()
        .load_shed(shed())
        .bulkhead(bulkhead())
        .circuit_breaker(breaker())
        .time_limiter(limiter())
        .build()
}

#[derive(Clone, Copy, Debug)]
struct Nothing;

impl From<Bytes> for Nothing {
    fn from(_: Bytes) -> Self {
        Self
    }
}

#[derive(Clone, Copy, Debug)]
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

/// Calls a service that answers at once.
fn job<L>(name: &'static str, layer: impl Fn() -> L + 'static) -> Job
where
    L: Layer<Unit>,
    L::Service: Service<Request<()>, Response = Response<Nothing>, Error = Infallible> + 'static,
{
    Job::new(name, move || {
        let mut service = layer().layer(Unit);
        move |times| {
            let mut context = Context::from_waker(Waker::noop());
            for _ in 0..times {
                let _ = std::hint::black_box(service.poll_ready(&mut context));
                let mut call = pin!(service.call(std::hint::black_box(Request::new(()))));
                let _ = std::hint::black_box(call.as_mut().poll(&mut context));
            }
        }
    })
}

/// Answers at the second look.
#[derive(Clone, Copy, Debug)]
struct Late;

impl Service<Request<()>> for Late {
    type Response = Response<Nothing>;
    type Error = Infallible;
    type Future = LateAnswer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> LateAnswer {
        LateAnswer(false)
    }
}

#[derive(Debug)]
struct LateAnswer(bool);

impl Future for LateAnswer {
    type Output = Result<Response<Nothing>, Infallible>;

    fn poll(mut self: std::pin::Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(Ok(Response::new(Nothing)));
        }
        Poll::Pending
    }
}

/// Calls a service that has to wait once.
fn waiting<L>(name: &'static str, layer: impl Fn() -> L + 'static) -> Job
where
    L: Layer<Late>,
    L::Service: Service<Request<()>, Response = Response<Nothing>, Error = Infallible> + 'static,
{
    Job::new(name, move || {
        let mut service = layer().layer(Late);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.expect("a current-thread runtime lacks nothing");
        move |times| {
            let _runtime = runtime.enter();
            let mut context = Context::from_waker(Waker::noop());
            for _ in 0..times {
                let _ = std::hint::black_box(service.poll_ready(&mut context));
                let mut call = pin!(service.call(Request::new(())));
                let _ = std::hint::black_box(call.as_mut().poll(&mut context));
                let _ = std::hint::black_box(call.as_mut().poll(&mut context));
            }
        }
    })
}

/// Makes calls through one breaker while another thread does nothing else.
fn contended(name: &'static str) -> Job {
    Job::new(name, || {
        |times| {
            let (breaker, stop) = (breaker(), Arc::new(AtomicBool::new(false)));
            let call = |breaker: &CircuitBreaker| {
                if let Ok(permit) = breaker.try_acquire() {
                    permit.settle(Outcome::Success);
                }
            };
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        call(&breaker);
                    }
                });
                (0..times).for_each(|_| call(&breaker));
                stop.store(true, Ordering::Relaxed);
            });
        }
    })
}
