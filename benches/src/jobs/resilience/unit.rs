//! Services that do nothing, and how they are called.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use tower::{BoxError, Layer, Service};

use crate::Job;

pub(in crate::jobs) const NUMBERS: &str = "resilience/bare";
pub(in crate::jobs) const LATE: &str = "resilience/waiting_bare";
pub(in crate::jobs) const HTTP: &str = "resilience/http_bare";

/// Answers a number at once.
#[derive(Clone, Copy, Debug)]
pub(in crate::jobs) struct Numbers;

impl Service<u64> for Numbers {
    type Response = u64;
    type Error = BoxError;
    type Future = Ready<Result<u64, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, number: u64) -> Self::Future {
        ready(Ok(number))
    }
}

/// Answers a number at the second look.
#[derive(Clone, Copy, Debug)]
pub(in crate::jobs) struct Late;

impl Service<u64> for Late {
    type Response = u64;
    type Error = BoxError;
    type Future = LateAnswer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, number: u64) -> LateAnswer {
        LateAnswer { number, looked: false }
    }
}

#[derive(Debug)]
pub(in crate::jobs) struct LateAnswer {
    number: u64,
    looked: bool,
}

impl Future for LateAnswer {
    type Output = Result<u64, BoxError>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        if std::mem::replace(&mut self.looked, true) {
            return Poll::Ready(Ok(self.number));
        }
        Poll::Pending
    }
}

/// A body that is none.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::jobs) struct Nothing;

impl From<Bytes> for Nothing {
    fn from(_: Bytes) -> Self {
        Self
    }
}

/// Answers 200 at once.
#[derive(Clone, Copy, Debug)]
pub(in crate::jobs) struct Http;

impl Service<Request<()>> for Http {
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

/// Calls a service of numbers that answers at once.
pub(in crate::jobs) fn numbers<L>(name: &'static str, layer: impl Fn() -> L + 'static) -> Job
where
    L: Layer<Numbers>,
    L::Service: Service<u64> + 'static,
{
    Job::new(name, move || calls(layer().layer(Numbers), 1, |number| number))
}

/// The same in the context of a runtime, for layers that set a timer for every call.
#[cfg(feature = "rivals")]
pub(in crate::jobs) fn numbers_with<L>(name: &'static str, layer: impl Fn() -> L + 'static) -> Job
where
    L: Layer<Numbers>,
    L::Service: Service<u64> + 'static,
{
    Job::new(name, move || inside_runtime(calls(layer().layer(Numbers), 1, |number| number)))
}

/// Calls a service of numbers that has to wait once.
pub(in crate::jobs) fn late<L>(name: &'static str, layer: impl Fn() -> L + 'static) -> Job
where
    L: Layer<Late>,
    L::Service: Service<u64> + 'static,
{
    Job::new(name, move || inside_runtime(calls(layer().layer(Late), 2, |number| number)))
}

/// Calls a service of HTTP that answers at once.
pub(in crate::jobs) fn http<L>(name: &'static str, layer: impl Fn() -> L + 'static) -> Job
where
    L: Layer<Http>,
    L::Service: Service<Request<()>> + 'static,
{
    Job::new(name, move || inside_runtime(calls(layer().layer(Http), 1, |_| Request::new(()))))
}

/// Calls `service` with what `request` makes, and looks `polls` times for the answer.
fn calls<S, Req>(mut service: S, polls: u32, request: impl Fn(u64) -> Req) -> impl FnMut(u64)
where
    S: Service<Req>,
{
    move |times| {
        let mut context = Context::from_waker(Waker::noop());
        for number in 0..times {
            let _ = std::hint::black_box(service.poll_ready(&mut context).is_ready());
            let mut call = pin!(service.call(std::hint::black_box(request(number))));
            for _ in 0..polls {
                let _ = std::hint::black_box(call.as_mut().poll(&mut context));
            }
        }
    }
}

fn inside_runtime(mut run: impl FnMut(u64)) -> impl FnMut(u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a current-thread runtime lacks nothing");
    move |times| {
        let _runtime = runtime.enter();
        run(times);
    }
}
