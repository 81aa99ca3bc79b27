use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Request, Response};
use obs_core::outcome::{Outcome, Rejection};
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{HeldToEnd, ResponseBody};
use crate::limiter::{Denied, Limiter, Passed, Pending};

pin_project! {
    /// The future of a limited request.
    ///
    /// Dropped before it is ready, it settles the request as abandoned; dropped while it waits for
    /// a lease, it has charged nothing.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use http_body_util::Full;
    /// use obs_ratelimit::{Limiter, Policy, Quota, RateLimit};
    /// use tower::{Service, service_fn};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = Limiter::new(Policy::builder("all", Quota::per_second(10)).build()?)?;
    /// let inner = service_fn(async |_: Request<()>| {
    ///     Ok::<_, std::convert::Infallible>(Response::new(Full::<bytes::Bytes>::default()))
    /// });
    /// // It is decided when the future is polled first; one that is dropped before costs nothing.
    /// let future = RateLimit::new(inner, limiter).call(Request::new(()));
    /// assert_eq!(future.await?.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    pub struct ResponseFuture<S, B>
    where
        S: Service<Request<B>>,
    {
        limiter: Limiter,
        #[pin]
        state: State<S, B>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<S, B>
    where
        S: Service<Request<B>>,
    {
        Passed { #[pin] future: S::Future, passed: Passed },
        Denied { denied: Option<Denied> },
        Pending { decision: Waiting, inner: S, request: Option<Request<B>> },
    }
}

type Waiting = Pin<Box<dyn Future<Output = Result<Passed, Denied>> + Send>>;

impl<S: Service<Request<B>>, B> ResponseFuture<S, B> {
    pub(super) const fn passed(future: S::Future, limiter: Limiter, passed: Passed) -> Self {
        Self { limiter, state: State::Passed { future, passed } }
    }

    pub(super) const fn denied(limiter: Limiter, denied: Denied) -> Self {
        Self { limiter, state: State::Denied { denied: Some(denied) } }
    }

    pub(super) fn pending(
        inner: S,
        request: Request<B>,
        limiter: Limiter,
        pending: Pending,
    ) -> Self {
        let tell = limiter.tell();
        let decision = Box::pin(limiter.clone().resolve(pending, tell, false));
        Self { limiter, state: State::Pending { decision, inner, request: Some(request) } }
    }
}

impl<S, B, ResBody> Future for ResponseFuture<S, B>
where
    S: Service<Request<B>, Response = Response<ResBody>>,
    ResBody: From<Bytes>,
{
    type Output = Result<Response<ResponseBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let next = match this.state.as_mut().project() {
                StateProjection::Passed { future, passed } => {
                    let result = ready!(future.poll(context));
                    return Poll::Ready(finish(this.limiter, passed, result));
                }
                StateProjection::Denied { denied } => {
                    let denied = denied.take().expect("a future is not polled after it is ready");
                    return Poll::Ready(Ok(refuse(this.limiter, &denied)));
                }
                StateProjection::Pending { decision, inner, request } => {
                    match ready!(decision.as_mut().poll(context)) {
                        Err(denied) => State::Denied { denied: Some(denied) },
                        Ok(passed) => {
                            let request = request.take().expect("a request is sent on once");
                            State::Passed { future: inner.call(request), passed }
                        }
                    }
                }
            };
            this.state.set(next);
        }
    }
}

fn finish<B, E>(
    limiter: &Limiter,
    passed: &mut Passed,
    result: Result<Response<B>, E>,
) -> Result<Response<ResponseBody<B>>, E> {
    let mut reservation = passed.reservation.take();
    let mut response = match result {
        Ok(response) => response,
        Err(error) => {
            if let Some(reservation) = reservation {
                reservation.end(Outcome::ServiceError);
            }
            return Err(error);
        }
    };
    let status = response.status();
    limiter.passed_headers(response.headers_mut(), passed, Some(status));
    let outcome = Outcome::from_status(status.as_u16());
    if let Some(reservation) = &mut reservation {
        reservation.decide(outcome);
    }
    Ok(response.map(|body| {
        ResponseBody::new(body, reservation.map(|reservation| HeldToEnd::new(reservation, outcome)))
    }))
}

fn refuse<B: From<Bytes>>(limiter: &Limiter, denied: &Denied) -> Response<ResponseBody<B>> {
    let mut response = limiter.refuse::<B>(denied);
    // For layers further out, which tell who refused.
    response.extensions_mut().insert(Outcome::Rejected(Rejection::RateLimit));
    response.map(|body| ResponseBody::new(body, None))
}

impl<S: Service<Request<B>>, B> fmt::Debug for ResponseFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("limiter", &self.limiter).finish_non_exhaustive()
    }
}
