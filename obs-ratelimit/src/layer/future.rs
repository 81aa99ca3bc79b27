use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Response;
use obs_core::outcome::{Outcome, Rejection};
use pin_project_lite::pin_project;

use super::ResponseBody;
use crate::limiter::{Denied, Limiter, Passed};

pin_project! {
    /// The future of a limited request.
    ///
    /// Dropped before it is ready, it settles the request as abandoned.
    pub struct ResponseFuture<F> {
        limiter: Limiter,
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Passed { #[pin] future: F, passed: Passed },
        Denied { denied: Option<Denied> },
    }
}

impl<F> ResponseFuture<F> {
    pub(super) const fn passed(future: F, limiter: Limiter, passed: Passed) -> Self {
        Self { limiter, state: State::Passed { future, passed } }
    }

    pub(super) const fn denied(limiter: Limiter, denied: Denied) -> Self {
        Self { limiter, state: State::Denied { denied: Some(denied) } }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: From<Bytes>,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.state.project() {
            StateProjection::Passed { future, passed } => {
                let result = ready!(future.poll(context));
                Poll::Ready(finish(this.limiter, passed, result))
            }
            StateProjection::Denied { denied } => {
                let denied = denied.take().expect("a future is not polled after it is ready");
                Poll::Ready(Ok(refuse(this.limiter, &denied)))
            }
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
    if limiter.emits(&passed.reports) {
        limiter.write_headers(response.headers_mut(), &passed.reports);
    }
    let outcome = Outcome::from_status(response.status().as_u16());
    if let Some(reservation) = &mut reservation {
        reservation.decide(outcome);
    }
    Ok(response.map(|body| ResponseBody::new(body, reservation, outcome)))
}

fn refuse<B: From<Bytes>>(limiter: &Limiter, denied: &Denied) -> Response<ResponseBody<B>> {
    let refusal = limiter.refusal(denied);
    let mut response = refusal.problem.into_response::<B>();
    response.headers_mut().extend(refusal.headers);
    // For layers further out, which tell who refused.
    response.extensions_mut().insert(Outcome::Rejected(Rejection::RateLimit));
    response.map(|body| ResponseBody::new(body, None, Outcome::ClientError))
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").field("limiter", &self.limiter).finish_non_exhaustive()
    }
}
