use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::{LoadShed, LoadShedPermit};
use crate::classify::Classify;

pin_project! {
    /// The answer of a [`LoadShedService`](super::LoadShedService).
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, Res, Err, C> {
        #[pin]
        state: State<F, Res, Err, C>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, Res, Err, C> {
        Running { #[pin] inner: F, permit: Option<LoadShedPermit>, shed: LoadShed, classify: C },
        Shed { answer: Option<Result<Res, Err>> },
    }
}

impl<F, Res, Err, C> ResponseFuture<F, Res, Err, C> {
    pub(super) const fn running(
        inner: F,
        permit: Option<LoadShedPermit>,
        shed: LoadShed,
        classify: C,
    ) -> Self {
        Self { state: State::Running { inner, permit, shed, classify } }
    }

    pub(super) const fn shed(answer: Result<Res, Err>) -> Self {
        Self { state: State::Shed { answer: Some(answer) } }
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
            StateProjection::Running { inner, permit, shed, classify } => {
                let result = ready!(inner.poll(context));
                if let Some(permit) = permit.take() {
                    permit.settle_at(classify.classify(result.as_ref()), shed.clock().now());
                }
                Poll::Ready(result)
            }
            StateProjection::Shed { answer } => answer.take().map_or(Poll::Pending, Poll::Ready),
        }
    }
}

impl<F, Res, Err, C> fmt::Debug for ResponseFuture<F, Res, Err, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("shed", &matches!(self.state, State::Shed { .. }))
            .finish_non_exhaustive()
    }
}
