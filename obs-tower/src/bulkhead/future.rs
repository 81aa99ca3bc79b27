use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;
use tokio::time::Sleep;
use tower_service::Service;

use super::permit::{Ticket, Waiting};
use super::{BulkheadFull, BulkheadPermit, Hold};
use crate::reject::{Reject, Rejected};

pin_project! {
    /// The answer of a [`BulkheadService`](super::BulkheadService).
    ///
    /// Dropping it gives its room, or its place in the queue, up.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use obs_tower::bulkhead::{Bulkhead, BulkheadLayer};
    /// use tower::{Layer, Service, service_fn};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let bulkhead = Bulkhead::builder("orders").build()?;
    /// let mut service = BulkheadLayer::new(bulkhead.clone()).layer(service_fn(|_: Request<()>| async {
    ///     Ok::<_, std::convert::Infallible>(Response::new(bytes::Bytes::new()))
    /// }));
    /// let future = service.call(Request::new(()));
    /// assert_eq!(bulkhead.in_flight(), 1);
    /// // Dropping it gives the room back.
    /// drop(future);
    /// assert_eq!(bulkhead.in_flight(), 0);
    /// # Ok::<_, obs_core::config::ConfigError>(()) }).unwrap();
    /// ```
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S: Service<Req>, Req, R, H> {
        hold: H,
        #[pin]
        state: State<S, Req, R, S::Future, S::Response, S::Error>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, Req, R, F, Res, Err> {
        // Boxed, so that a call that need not wait carries no room for waiting.
        Queued { queued: Pin<Box<Queued<S, Req, R>>> },
        Running { #[pin] inner: F, permit: Option<BulkheadPermit> },
        Answered { answer: Option<Result<Res, Err>> },
    }
}

pin_project! {
    struct Queued<S, Req, R> {
        waiting: Waiting,
        #[pin]
        timer: Option<Sleep>,
        call: Option<(S, Req)>,
        reject: R,
    }
}

impl<S: Service<Req>, Req, R, H> ResponseFuture<S, Req, R, H> {
    pub(super) const fn running(inner: S::Future, permit: BulkheadPermit, hold: H) -> Self {
        Self { hold, state: State::Running { inner, permit: Some(permit) } }
    }

    #[cold]
    pub(super) fn queued(ready: S, request: Req, waiting: Waiting, reject: R, hold: H) -> Self {
        let call = Some((ready, request));
        let queued = Box::pin(Queued { waiting, timer: None, call, reject });
        Self { hold, state: State::Queued { queued } }
    }

    pub(super) const fn refused(answer: Result<S::Response, S::Error>, hold: H) -> Self {
        Self { hold, state: State::Answered { answer: Some(answer) } }
    }
}

impl<S, Req, R, H> Future for ResponseFuture<S, Req, R, H>
where
    S: Service<Req>,
    R: Reject<S::Response, S::Error>,
    H: Hold<S::Response>,
{
    type Output = Result<H::Response, S::Error>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Running { inner, permit } => {
                    let result = ready!(inner.poll(context));
                    let permit = permit.take();
                    return Poll::Ready(result.map(|response| this.hold.hold(response, permit)));
                }
                StateProjection::Queued { queued } => {
                    let queued = queued.as_mut().project();
                    let ticket = ready!(poll_queue(queued.waiting, queued.timer, context));
                    match (ticket, queued.call.take()) {
                        (Ok(ticket), Some((mut ready, request))) => {
                            let permit = Some(queued.waiting.bulkhead.permit(ticket));
                            State::Running { inner: ready.call(request), permit }
                        }
                        (Err(full), _) => State::Answered {
                            answer: Some(queued.reject.reject(Rejected::from(full))),
                        },
                        (Ok(ticket), None) => {
                            queued.waiting.bulkhead.leave(&ticket);
                            return Poll::Pending;
                        }
                    }
                }
                StateProjection::Answered { answer } => {
                    return answer.take().map_or(Poll::Pending, |answer| {
                        Poll::Ready(answer.map(|response| this.hold.hold(response, None)))
                    });
                }
            };
            this.state.set(next);
        }
    }
}

/// Ready with room, or when the wait is over.
pub(crate) fn poll_queue(
    waiting: &mut Waiting,
    mut timer: Pin<&mut Option<Sleep>>,
    context: &mut Context<'_>,
) -> Poll<Result<Ticket, BulkheadFull>> {
    if let Poll::Ready(result) = waiting.poll(context) {
        return Poll::Ready(result);
    }
    if timer.is_none() {
        timer.set(Some(tokio::time::sleep(waiting.longest_wait())));
    }
    if let Some(timer) = timer.as_pin_mut() {
        ready!(timer.poll(context));
    }
    Poll::Ready(Err(waiting.give_up()))
}

impl<S: Service<Req>, Req, R, H> fmt::Debug for ResponseFuture<S, Req, R, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("queued", &matches!(self.state, State::Queued { .. }))
            .finish_non_exhaustive()
    }
}
