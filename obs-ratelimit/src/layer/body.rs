use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};
use obs_core::outcome::Outcome;
use pin_project_lite::pin_project;

use crate::limiter::Reservation;

pin_project! {
    /// The body of a limited response. It holds the place that a concurrency limit gave until it
    /// has ended, failed or is dropped.
    pub struct ResponseBody<B> {
        #[pin]
        inner: B,
        reservation: Option<Box<Reservation>>,
        outcome: Outcome,
    }
}

impl<B> ResponseBody<B> {
    pub(super) const fn new(
        inner: B,
        reservation: Option<Box<Reservation>>,
        outcome: Outcome,
    ) -> Self {
        Self { inner, reservation, outcome }
    }

    /// The body inside; what it held is settled as abandoned.
    pub fn into_inner(self) -> B {
        self.inner
    }
}

impl<B: Body> Body for ResponseBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.inner.as_mut().poll_frame(context));
        let outcome = match &frame {
            None => *this.outcome,
            // A reader may stop at the last frame and keep the body.
            Some(Ok(_)) if this.inner.is_end_stream() => *this.outcome,
            Some(Ok(_)) => return Poll::Ready(frame),
            Some(Err(_)) => Outcome::BodyError,
        };
        if let Some(reservation) = this.reservation.take() {
            reservation.end(outcome);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B> fmt::Debug for ResponseBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseBody").field("outcome", &self.outcome).finish_non_exhaustive()
    }
}
