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

use super::layer::{GuardLayer, Progress};
use super::permits::Permits;
use crate::bulkhead::{PlaceOf, Waiting};
use crate::classify::Classify;
use crate::reject::Rejected;
use crate::timeout::{Limit, Timer};
use crate::unwind::on_panic;

pin_project! {
    /// The answer of a [`GuardService`](super::GuardService).
    ///
    /// Dropping it gives everything back that the request held.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S: Service<Request<B>>, B, P, C> {
        guard: GuardLayer<P, C>,
        // After the state: what runs is dropped before what it holds is given back.
        #[pin]
        state: State<S, Request<B>, S::Future>,
        #[pin]
        timer: Option<Timer>,
        permits: Permits,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, Req, F> {
        Asking { pending: PendingAdmission, call: Option<(S, Req)> },
        Queued { waiting: Waiting, #[pin] patience: Option<Sleep>, call: Option<(S, Req)> },
        Running { #[pin] inner: F },
        Refused { rejected: Option<Rejected> },
        OverRate { refusal: Option<Box<Refusal>> },
        Answered,
    }
}

impl<S, B, P: Clone, C: Clone> ResponseFuture<S, B, P, C>
where
    S: Service<Request<B>>,
{
    fn new(
        guard: &GuardLayer<P, C>,
        limit: Option<Limit>,
        permits: Permits,
        state: State<S, Request<B>, S::Future>,
    ) -> Self {
        Self { guard: guard.clone(), state, timer: limit.map(Timer::new), permits }
    }

    pub(super) fn running(
        guard: &GuardLayer<P, C>,
        limit: Option<Limit>,
        permits: Permits,
        inner: S::Future,
    ) -> Self {
        Self::new(guard, limit, permits, State::Running { inner })
    }

    pub(super) fn queued(
        guard: &GuardLayer<P, C>,
        limit: Option<Limit>,
        permits: Permits,
        call: (S, Request<B>),
        waiting: Waiting,
    ) -> Self {
        let state = State::Queued { waiting, patience: None, call: Some(call) };
        Self::new(guard, limit, permits, state)
    }

    pub(super) fn asking(
        guard: &GuardLayer<P, C>,
        limit: Option<Limit>,
        permits: Permits,
        call: (S, Request<B>),
        pending: PendingAdmission,
    ) -> Self {
        Self::new(guard, limit, permits, State::Asking { pending, call: Some(call) })
    }

    pub(super) fn refused(
        guard: &GuardLayer<P, C>,
        limit: Option<Limit>,
        rejected: Rejected,
    ) -> Self {
        let state = State::Refused { rejected: Some(rejected) };
        Self::new(guard, limit, Permits::default(), state)
    }

    pub(super) fn over_rate(
        guard: &GuardLayer<P, C>,
        limit: Option<Limit>,
        refusal: Refusal,
    ) -> Self {
        let state = State::OverRate { refusal: Some(Box::new(refusal)) };
        Self::new(guard, limit, Permits::default(), state)
    }
}

impl<S, B, P, C, B2> Future for ResponseFuture<S, B, P, C>
where
    S: Service<Request<B>, Response = Response<B2>>,
    P: PlaceOf<Request<B>>,
    C: Classify<Response<B2>, S::Error>,
    B2: From<Bytes>,
{
    type Output = Result<Response<B2>, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let guard = &*this.guard;
        let clock = &guard.parts.clock;
        let _scope = this.timer.as_ref().as_pin_ref().and_then(|timer| timer.limit().enter());
        loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Running { inner } => {
                    let permits = &mut *this.permits;
                    let poll = on_panic(
                        || inner.poll(context),
                        || permits.settle(Outcome::Panic, clock.coarse()),
                    );
                    match poll {
                        Poll::Ready(result) => {
                            let outcome = guard.classify.classify(result.as_ref());
                            let headers = this.permits.take_headers();
                            this.permits.settle(outcome, clock.coarse());
                            return Poll::Ready(result.map(|response| match headers {
                                None => response,
                                Some(headers) => with_headers(response, headers),
                            }));
                        }
                        Poll::Pending => None,
                    }
                }
                StateProjection::Queued { waiting, patience, call } => {
                    match poll_queue(waiting, patience, context) {
                        Poll::Pending => None,
                        Poll::Ready(Err(rejected)) => Some(Err(rejected)),
                        Poll::Ready(Ok(permit)) => {
                            this.permits.bulkhead = Some(permit);
                            let passed = guard.parts.pass_breaker(this.permits, clock.coarse());
                            Some(passed.map(|()| start(call.take())))
                        }
                    }
                }
                StateProjection::Asking { pending, call } => {
                    match Pin::new(pending).poll(context) {
                        Poll::Pending => None,
                        // A limit that answers so breaks its contract; it is asked no further.
                        Poll::Ready(RateAdmission::Pending(_)) => Some(Ok(start(call.take()))),
                        Poll::Ready(RateAdmission::Refused(refusal)) => {
                            Some(Ok(State::OverRate { refusal: Some(refusal) }))
                        }
                        Poll::Ready(RateAdmission::Admitted(permit)) => {
                            this.permits.rate = Some(permit);
                            Some(pass(guard, call.take(), this.permits))
                        }
                    }
                }
                StateProjection::Refused { rejected } => {
                    let Some(rejected) = rejected.take() else { return Poll::Pending };
                    this.permits.settle(rejected.outcome(), clock.coarse());
                    return Poll::Ready(Ok(rejected.into_response()));
                }
                StateProjection::OverRate { refusal } => {
                    let Some(refusal) = refusal.take() else { return Poll::Pending };
                    return Poll::Ready(Ok(over_rate(*refusal)));
                }
                StateProjection::Answered => return Poll::Pending,
            };
            match next {
                Some(Ok(state)) => this.state.set(state),
                Some(Err(rejected)) => {
                    this.state.set(State::Refused { rejected: Some(rejected) });
                }
                None => {
                    let Some(limiter) = &guard.parts.limiter else { return Poll::Pending };
                    let Some(timer) = this.timer.as_mut().as_pin_mut() else {
                        return Poll::Pending;
                    };
                    ready!(timer.poll_exceeded(limiter, context));
                    if let Some(rejected) = limiter.exceed() {
                        // The inner future first, then what it held.
                        this.state.set(State::Answered);
                        this.permits.settle(rejected.outcome(), clock.coarse());
                        return Poll::Ready(Ok(rejected.into_response()));
                    }
                    return Poll::Pending;
                }
            }
        }
    }
}

fn poll_queue(
    waiting: &mut Waiting,
    mut patience: Pin<&mut Option<Sleep>>,
    context: &mut Context<'_>,
) -> Poll<Result<crate::bulkhead::BulkheadPermit, Rejected>> {
    if let Poll::Ready(result) = waiting.poll(context) {
        return Poll::Ready(result.map_err(Rejected::from));
    }
    if patience.is_none() {
        patience.set(Some(tokio::time::sleep(waiting.longest_wait())));
    }
    if let Some(patience) = patience.as_pin_mut() {
        ready!(patience.poll(context));
    }
    Poll::Ready(Err(waiting.give_up().into()))
}

fn start<S: Service<Req>, Req>(call: Option<(S, Req)>) -> State<S, Req, S::Future> {
    match call {
        Some((mut service, request)) => State::Running { inner: service.call(request) },
        None => State::Answered,
    }
}

/// What follows when the rate limit has let the request pass.
fn pass<S, B, P, C>(
    guard: &GuardLayer<P, C>,
    call: Option<(S, Request<B>)>,
    permits: &mut Permits,
) -> Result<State<S, Request<B>, S::Future>, Rejected>
where
    S: Service<Request<B>>,
    P: PlaceOf<Request<B>>,
{
    let Some((service, request)) = call else { return Ok(State::Answered) };
    let now = guard.parts.clock.coarse();
    Ok(match guard.parts.pass(&request, guard.place_of(), permits, now)? {
        Progress::Through => start(Some((service, request))),
        Progress::Queued(waiting) => {
            State::Queued { waiting, patience: None, call: Some((service, request)) }
        }
    })
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

impl<S: Service<Request<B>>, B, P, C> fmt::Debug for ResponseFuture<S, B, P, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("running", &matches!(self.state, State::Running { .. }))
            .finish_non_exhaustive()
    }
}
