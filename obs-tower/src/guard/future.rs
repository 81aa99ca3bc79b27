use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use obs_core::admit::{Admission as RateAdmission, PendingAdmission, Refusal};
use obs_core::outcome::{Outcome, Rejection};
use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_service::Service;

use super::Choose;
use super::held::{Held, Progress};
use crate::bulkhead::{Waiting, poll_queue};
use crate::classify::Classify;
use crate::load_shed::{ByRoute, Importance};
use crate::reject::Rejected;
use crate::timeout::{Limit, Timer};
use crate::unwind::on_panic;

pin_project! {
    /// The answer of a [`GuardService`](super::GuardService).
    ///
    /// Dropping it gives everything back that the request held.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use obs_tower::guard::GuardConfig;
    /// use tower::{Layer, Service, service_fn};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let guard = GuardConfig::new().guard("orders")?.build();
    /// let mut service = guard.layer(service_fn(|_: Request<()>| async {
    ///     Ok::<_, std::convert::Infallible>(Response::new(bytes::Bytes::new()))
    /// }));
    /// let future = service.call(Request::new(()));
    /// assert_eq!(future.await.unwrap().status(), 200);
    /// # Ok::<_, obs_core::config::ConfigError>(()) }).unwrap();
    /// ```
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S: Service<Request<B>>, B, Q, C> {
        // What runs is dropped before what it holds is given back.
        #[pin]
        state: State<S, Request<B>, S::Future>,
        #[pin]
        timer: Option<Timer>,
        held: Held,
        choose: Q,
        classify: C,
    }
}

pin_project! {
    #[project = StateProjection]
    pub(super) enum State<S, Req, F> {
        // Boxed, so that a request that need not wait carries no room for waiting.
        Waits { waits: Pin<Box<Waits<S, Req>>> },
        Running { #[pin] inner: F },
        Refused { rejected: Option<Rejected> },
        OverRate { refusal: Option<Box<Refusal>> },
        Answered,
    }
}

pin_project! {
    /// A request that waits, and what it waits for.
    pub(super) struct Waits<S, Req> {
        call: Option<(S, Req)>,
        #[pin]
        reason: Reason,
    }
}

pin_project! {
    #[project = ReasonProjection]
    enum Reason {
        /// A store that the rate limit asks.
        Store { pending: PendingAdmission },
        /// Room in the bulkhead.
        Room { waiting: Waiting, #[pin] patience: Option<Sleep> },
    }
}

impl<S, Req, F> State<S, Req, F> {
    #[cold]
    pub(super) fn asking(pending: PendingAdmission, call: (S, Req)) -> Self {
        Self::waits(call, Reason::Store { pending })
    }

    #[cold]
    pub(super) fn queued(waiting: Waiting, call: (S, Req)) -> Self {
        Self::waits(call, Reason::Room { waiting, patience: None })
    }

    fn waits(call: (S, Req), reason: Reason) -> Self {
        Self::Waits { waits: Box::pin(Waits { call: Some(call), reason }) }
    }

    #[inline]
    pub(super) const fn running(inner: F) -> Self {
        Self::Running { inner }
    }

    pub(super) const fn refused(rejected: Rejected) -> Self {
        Self::Refused { rejected: Some(rejected) }
    }

    pub(super) const fn over_rate(refusal: Box<Refusal>) -> Self {
        Self::OverRate { refusal: Some(refusal) }
    }
}

impl<S: Service<Request<B>>, B, Q, C> ResponseFuture<S, B, Q, C> {
    #[inline]
    pub(super) fn new(
        state: State<S, Request<B>, S::Future>,
        limit: Option<Limit>,
        held: Held,
        choose: Q,
        classify: C,
    ) -> Self {
        Self { state, timer: limit.map(Timer::new), held, choose, classify }
    }
}

impl<S, B, Q, C, B2> Future for ResponseFuture<S, B, Q, C>
where
    S: Service<Request<B>, Response = Response<B2>>,
    Q: Choose<Request<B>>,
    C: Classify<Response<B2>, S::Error>,
    B2: From<Bytes>,
{
    type Output = Result<Response<B2>, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let held = this.held;
        let _scope = this.timer.as_ref().as_pin_ref().and_then(|timer| timer.limit().enter());
        loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Running { inner } => {
                    let poll = on_panic(
                        || inner.poll(context),
                        || {
                            let now = held.parts.clock.coarse();
                            held.settle(Outcome::Panic, now);
                        },
                    );
                    match poll {
                        Poll::Ready(result) => {
                            let outcome = this.classify.classify(result.as_ref());
                            return Poll::Ready(finish(result, outcome, held));
                        }
                        Poll::Pending => {
                            held.waits();
                            None
                        }
                    }
                }
                StateProjection::Waits { waits } => {
                    match poll_wait(waits.as_mut(), this.choose, held, context) {
                        Poll::Pending => None,
                        Poll::Ready(next) => Some(next),
                    }
                }
                StateProjection::Refused { rejected } => {
                    let Some(rejected) = rejected.take() else { return Poll::Pending };
                    return Poll::Ready(Ok(refuse(rejected, held)));
                }
                StateProjection::OverRate { refusal } => {
                    let Some(refusal) = refusal.take() else { return Poll::Pending };
                    return Poll::Ready(Ok(over_rate(*refusal)));
                }
                StateProjection::Answered => return Poll::Pending,
            };
            if let Some(next) = next {
                this.state.set(next);
                continue;
            }
            let Some(limiter) = &held.parts.limiter else { return Poll::Pending };
            let Some(timer) = this.timer.as_mut().as_pin_mut() else { return Poll::Pending };
            ready!(timer.poll_exceeded(limiter, context));
            let Some(rejected) = limiter.exceed() else { return Poll::Pending };
            // The inner future first, then what it held.
            this.state.set(State::Answered);
            return Poll::Ready(Ok(refuse(rejected, held)));
        }
    }
}

/// Tells every part how the request ended, and adds the headers of the rate limit.
#[inline]
fn finish<B, E>(
    result: Result<Response<B>, E>,
    outcome: Outcome,
    held: &mut Held,
) -> Result<Response<B>, E> {
    let headers = held.take_headers();
    held.settle(outcome, held.parts.clock.coarse());
    match headers {
        None => result,
        Some(headers) => result.map(|response| with_headers(response, headers)),
    }
}

#[cold]
fn refuse<B: From<Bytes>>(rejected: Rejected, held: &mut Held) -> Response<B> {
    let now = held.parts.clock.coarse();
    held.settle(rejected.outcome(), now);
    rejected.into_response()
}

/// Ready with what follows when the wait is over.
fn poll_wait<S, B, Q>(
    waits: Pin<&mut Waits<S, Request<B>>>,
    choose: &Q,
    held: &mut Held,
    context: &mut Context<'_>,
) -> Poll<State<S, Request<B>, S::Future>>
where
    S: Service<Request<B>>,
    Q: Choose<Request<B>>,
{
    let waits = waits.project();
    Poll::Ready(match waits.reason.project() {
        ReasonProjection::Room { waiting, patience } => {
            match ready!(poll_queue(waiting, patience, context)) {
                Err(full) => State::refused(full.into()),
                Ok(ticket) => {
                    held.bulkhead = Some(ticket);
                    after_queue(waits.call.take(), choose, held)
                }
            }
        }
        ReasonProjection::Store { pending } => match ready!(Pin::new(pending).poll(context)) {
            // A limit that answers so breaks its contract; it is asked no further.
            RateAdmission::Pending(_) => start(waits.call.take()),
            RateAdmission::Refused(refusal) => State::over_rate(refusal),
            RateAdmission::Admitted(permit) => {
                held.rate = Some(permit);
                after_rate_limit(waits.call.take(), choose, held)
            }
        },
    })
}

fn start<S: Service<Req>, Req>(call: Option<(S, Req)>) -> State<S, Req, S::Future> {
    match call {
        Some((mut service, request)) => State::Running { inner: service.call(request) },
        None => State::Answered,
    }
}

/// What follows when the rate limit has let the request pass.
fn after_rate_limit<S, B, Q>(
    call: Option<(S, Request<B>)>,
    choose: &Q,
    held: &mut Held,
) -> State<S, Request<B>, S::Future>
where
    S: Service<Request<B>>,
    Q: Choose<Request<B>>,
{
    let Some((service, request)) = call else { return State::Answered };
    let priority = ByRoute.importance(&request).unwrap_or_default();
    let now = held.parts.clock.coarse();
    match held.pass(&request, priority, choose, now) {
        Ok(Progress::Through) => start(Some((service, request))),
        Ok(Progress::Queued(waiting)) => State::queued(waiting, (service, request)),
        Err(rejected) => State::refused(rejected),
    }
}

/// What follows when the bulkhead has let the request in.
fn after_queue<S, B, Q>(
    call: Option<(S, Request<B>)>,
    choose: &Q,
    held: &mut Held,
) -> State<S, Request<B>, S::Future>
where
    S: Service<Request<B>>,
    Q: Choose<Request<B>>,
{
    let Some((service, request)) = call else { return State::Answered };
    let now = held.parts.clock.coarse();
    match held.pass_breaker(&request, choose, now) {
        Ok(()) => start(Some((service, request))),
        Err(rejected) => State::refused(rejected),
    }
}

fn with_headers<B>(mut response: Response<B>, headers: http::HeaderMap) -> Response<B> {
    response.headers_mut().extend(headers);
    response
}

fn over_rate<B: From<Bytes>>(refusal: Refusal) -> Response<B> {
    let response = with_headers(refusal.problem.into_response(), refusal.headers);
    let (mut parts, body) = response.into_parts();
    parts.extensions.insert(Outcome::Rejected(Rejection::RateLimit));
    Response::from_parts(parts, body)
}

impl<S: Service<Request<B>>, B, Q, C> fmt::Debug for ResponseFuture<S, B, Q, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("running", &matches!(self.state, State::Running { .. }))
            .finish_non_exhaustive()
    }
}
