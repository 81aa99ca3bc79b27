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
        Passed { #[pin] future: S::Future, rest: Option<Rest> },
        Refused { response: Option<S::Response> },
        Pending { decision: Waiting, limiter: Limiter, inner: S, request: Option<Request<B>> },
    }
}

type Waiting = Pin<Box<dyn Future<Output = Result<Passed, Denied>> + Send>>;

/// What is left to do when the response is there.
struct Rest {
    limiter: Limiter,
    passed: Passed,
}

impl Rest {
    /// `None` where nothing is: then the limiter's count of handles, which all threads share, is left
    /// alone.
    fn of(limiter: &Limiter, passed: Passed) -> Option<Self> {
        let Passed { reservation, reports, fallback } = &passed;
        let is_done = reservation.is_none() && reports.is_empty() && fallback.is_none();
        (!is_done).then(|| Self { limiter: limiter.clone(), passed })
    }
}

impl<S: Service<Request<B>>, B> ResponseFuture<S, B> {
    pub(super) fn passed(future: S::Future, limiter: &Limiter, passed: Passed) -> Self {
        Self { state: State::Passed { future, rest: Rest::of(limiter, passed) } }
    }

    pub(super) const fn refused(response: S::Response) -> Self {
        Self { state: State::Refused { response: Some(response) } }
    }

    pub(super) fn pending(
        inner: S,
        request: Request<B>,
        limiter: Limiter,
        pending: Pending,
    ) -> Self {
        let tell = limiter.tell();
        let decision = Box::pin(limiter.clone().resolve(pending, tell, false));
        Self { state: State::Pending { decision, limiter, inner, request: Some(request) } }
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
                StateProjection::Passed { future, rest } => {
                    let result = ready!(future.poll(context));
                    return Poll::Ready(match rest.take() {
                        None => result.map(bare),
                        Some(rest) => finish(rest, result),
                    });
                }
                StateProjection::Refused { response } => {
                    let response =
                        response.take().expect("a future is not polled after it is ready");
                    return Poll::Ready(Ok(bare(response)));
                }
                StateProjection::Pending { decision, limiter, inner, request } => {
                    match ready!(decision.as_mut().poll(context)) {
                        Err(denied) => State::Refused { response: Some(refuse(limiter, &denied)) },
                        Ok(passed) => {
                            let request = request.take().expect("a request is sent on once");
                            let rest = Rest::of(limiter, passed);
                            State::Passed { future: inner.call(request), rest }
                        }
                    }
                }
            };
            this.state.set(next);
        }
    }
}

/// A response whose end nobody waits for.
fn bare<B>(response: Response<B>) -> Response<ResponseBody<B>> {
    response.map(|body| ResponseBody::new(body, None))
}

fn finish<B, E>(
    Rest { limiter, mut passed }: Rest,
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
    limiter.passed_headers(response.headers_mut(), &passed, Some(status));
    let outcome = Outcome::from_status(status.as_u16());
    if let Some(reservation) = &mut reservation {
        reservation.decide(outcome);
    }
    Ok(response.map(|body| {
        ResponseBody::new(body, reservation.map(|reservation| HeldToEnd::new(reservation, outcome)))
    }))
}

pub(super) fn refuse<B: From<Bytes>>(limiter: &Limiter, denied: &Denied) -> Response<B> {
    let mut response = limiter.refuse::<B>(denied);
    // For layers further out, which tell who refused.
    response.extensions_mut().insert(Outcome::Rejected(Rejection::RateLimit));
    response
}

impl<S: Service<Request<B>>, B> fmt::Debug for ResponseFuture<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
