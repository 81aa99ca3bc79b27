use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use obs_core::circuit::Permit;
use obs_core::outcome::Outcome;
use pin_project_lite::pin_project;

use crate::classify::Classify;
use crate::unwind::on_panic;

pin_project! {
    /// The answer of a [`CircuitBreakerService`](super::CircuitBreakerService).
    ///
    /// Dropping it before it is ready is a cancelled call; see [`Permit`].
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, Res, Err, C> {
        #[pin]
        state: State<F, Res, Err, C>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, Res, Err, C> {
        Admitted { #[pin] inner: F, permit: Option<Permit>, classify: C },
        Refused { answer: Option<Result<Res, Err>> },
    }
}

impl<F, Res, Err, C> ResponseFuture<F, Res, Err, C> {
    pub(super) const fn admitted(inner: F, permit: Permit, classify: C) -> Self {
        Self { state: State::Admitted { inner, permit: Some(permit), classify } }
    }

    pub(super) const fn refused(answer: Result<Res, Err>) -> Self {
        Self { state: State::Refused { answer: Some(answer) } }
    }
}

impl<F, Res, Err, C> Future for ResponseFuture<F, Res, Err, C>
where
    F: Future<Output = Result<Res, Err>>,
    C: Classify<Res, Err>,
{
    type Output = Result<Res, Err>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Admitted { inner, permit, classify } => {
                let poll = on_panic(
                    || inner.poll(context),
                    || {
                        if let Some(permit) = permit.take() {
                            permit.settle(Outcome::Panic);
                        }
                    },
                );
                let result = ready!(poll);
                if let Some(permit) = permit.take() {
                    permit.settle(classify.classify(result.as_ref()));
                }
                Poll::Ready(result)
            }
            // Pending for ever once answered, as a future polled after its end may be.
            StateProjection::Refused { answer } => answer.take().map_or(Poll::Pending, Poll::Ready),
        }
    }
}

impl<F, Res, Err, C> fmt::Debug for ResponseFuture<F, Res, Err, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("admitted", &matches!(self.state, State::Admitted { .. }))
            .finish_non_exhaustive()
    }
}
