use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::time::Sleep;

use super::TimeLimiter;
use super::limiter::Limit;
use crate::reject::Reject;

pin_project! {
    /// The answer of a [`TimeoutService`](super::TimeoutService).
    ///
    /// ```
    /// use http::{Request, Response};
    /// use obs_tower::timeout::{TimeLimiter, TimeoutLayer};
    /// use tower::{Layer, Service, service_fn};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let layer = TimeoutLayer::new(TimeLimiter::builder("inventory").build()?);
    /// let mut service = layer.layer(service_fn(|_: Request<()>| async {
    ///     Ok::<_, std::convert::Infallible>(Response::new(bytes::Bytes::new()))
    /// }));
    /// let future = service.call(Request::new(()));
    /// assert_eq!(future.await.unwrap().status(), 200);
    /// # Ok::<_, obs_core::config::ConfigError>(()) }).unwrap();
    /// ```
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, Res, Err, R> {
        #[pin]
        state: State<F, Res, Err, R>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, Res, Err, R> {
        Running {
            // Emptied when the deadline passes, before the caller hears of it.
            #[pin] inner: Option<F>,
            #[pin] timer: Timer,
            limiter: TimeLimiter,
            reject: R,
        },
        Refused { answer: Option<Result<Res, Err>> },
    }
}

impl<F, Res, Err, R> ResponseFuture<F, Res, Err, R> {
    pub(super) const fn running(inner: F, limit: Limit, limiter: TimeLimiter, reject: R) -> Self {
        Self {
            state: State::Running { inner: Some(inner), timer: Timer::new(limit), limiter, reject },
        }
    }

    pub(super) const fn refused(answer: Result<Res, Err>) -> Self {
        Self { state: State::Refused { answer: Some(answer) } }
    }
}

impl<F, Res, Err, R> Future for ResponseFuture<F, Res, Err, R>
where
    F: Future<Output = Result<Res, Err>>,
    R: Reject<Res, Err>,
{
    type Output = Result<Res, Err>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Running { mut inner, mut timer, limiter, reject } => {
                let _scope = timer.limit().enter();
                let Some(future) = inner.as_mut().as_pin_mut() else { return Poll::Pending };
                // The answer first: one that is there when the time is up is still an answer.
                if let Poll::Ready(result) = future.poll(context) {
                    return Poll::Ready(result);
                }
                if timer.as_mut().poll_exceeded(limiter, context).is_pending() {
                    return Poll::Pending;
                }
                match limiter.exceed() {
                    None => Poll::Pending,
                    Some(rejected) => {
                        inner.set(None);
                        Poll::Ready(reject.reject(rejected))
                    }
                }
            }
            StateProjection::Refused { answer } => answer.take().map_or(Poll::Pending, Poll::Ready),
        }
    }
}

impl<F, Res, Err, R> fmt::Debug for ResponseFuture<F, Res, Err, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("running", &matches!(self.state, State::Running { .. }))
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// A timer that is armed when something has to wait.
    #[derive(Debug)]
    pub(crate) struct Timer {
        limit: Limit,
        is_over: bool,
        #[pin]
        sleep: Option<Sleep>,
    }
}

/// A timer this late means that the process did not run.
const FROZEN: Duration = Duration::from_secs(1);

impl Timer {
    pub(crate) const fn new(limit: Limit) -> Self {
        Self { limit, is_over: false, sleep: None }
    }

    pub(crate) const fn limit(&self) -> Limit {
        self.limit
    }

    /// Ready, once, when the deadline has passed.
    pub(crate) fn poll_exceeded(
        self: Pin<&mut Self>,
        limiter: &TimeLimiter,
        context: &mut Context<'_>,
    ) -> Poll<()> {
        let mut this = self.project();
        if *this.is_over {
            return Poll::Pending;
        }
        if this.sleep.is_none() {
            let rest = this.limit.deadline.remaining(limiter.clock().now());
            this.sleep.set(Some(tokio::time::sleep(rest)));
        }
        loop {
            let Some(mut sleep) = this.sleep.as_mut().as_pin_mut() else { return Poll::Pending };
            std::task::ready!(sleep.as_mut().poll(context));
            let (now, due) = (limiter.clock().now(), this.limit.deadline.instant());
            let late = now - due;
            if late >= FROZEN {
                // Whoever else measures how long something takes wants to know.
                limiter.clock().note_frozen(due, now);
            }
            let extension =
                Duration::from_nanos(std::mem::take(&mut this.limit.extension)).min(late);
            if late < FROZEN || extension.is_zero() {
                *this.is_over = true;
                this.sleep.set(None);
                return Poll::Ready(());
            }
            sleep.reset(tokio::time::Instant::now() + extension);
        }
    }
}
