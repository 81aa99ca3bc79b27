//! A guard that lets a call in with a permit and learns how it ended: the service and the future
//! that the circuit breaker and the load shedding have in common.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use obs_core::outcome::Outcome;
use pin_project_lite::pin_project;
use tower_service::Service;

use crate::classify::Classify;
use crate::reject::{Reject, Rejected};
use crate::unwind::on_panic;

/// Decides whether a request may pass.
///
/// ```
/// use http::Request;
/// use obs_core::circuit::CircuitBreaker;
/// use obs_core::outcome::Outcome;
/// use obs_tower::circuit_breaker::{LetIn, Settle};
///
/// let breaker = CircuitBreaker::builder("inventory").build()?;
/// let mut permit = breaker.let_in(&Request::new(())).expect("it is closed");
/// permit.settle(Outcome::Success);
/// breaker.force_open(None);
/// assert!(breaker.let_in(&Request::new(())).is_err());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
pub trait LetIn<Req> {
    /// What the request holds until it ends.
    type Permit: Settle;

    /// Lets the request in.
    ///
    /// # Errors
    /// [`Rejected`] if it may not pass.
    fn let_in(&self, request: &Req) -> Result<Self::Permit, Rejected>;
}

/// A permit that wants to know how its call ended. Dropped without that, the call was cancelled.
///
/// ```
/// use obs_core::outcome::Outcome;
/// use obs_tower::circuit_breaker::Settle;
///
/// /// Remembers the last outcome.
/// struct Last(Option<Outcome>);
///
/// impl Settle for Last {
///     fn settle(&mut self, outcome: Outcome) {
///         self.0 = Some(outcome);
///     }
/// }
/// let mut last = Last(None);
/// last.settle(Outcome::ServerError);
/// assert_eq!(last.0, Some(Outcome::ServerError));
/// ```
pub trait Settle {
    /// The call ended so. What it is told after that counts no more.
    fn settle(&mut self, outcome: Outcome);

    /// The call has to wait for its answer; told each time that it was looked for in vain. Default:
    /// that is no news.
    ///
    /// ```
    /// use obs_core::outcome::Outcome;
    /// use obs_tower::circuit_breaker::Settle;
    ///
    /// /// Tells calls that were answered at once, from a cache, from those that had to wait.
    /// #[derive(Default)]
    /// struct Tally {
    ///     waited: bool,
    ///     at_once: u64,
    ///     later: u64,
    /// }
    ///
    /// impl Settle for Tally {
    ///     fn settle(&mut self, _: Outcome) {
    ///         let count = if self.waited { &mut self.later } else { &mut self.at_once };
    ///         *count += 1;
    ///     }
    ///
    ///     fn waits(&mut self) {
    ///         self.waited = true;
    ///     }
    /// }
    ///
    /// let mut tally = Tally::default();
    /// tally.waits();
    /// tally.settle(Outcome::Success);
    /// assert_eq!((tally.at_once, tally.later), (0, 1));
    /// ```
    fn waits(&mut self) {}
}

/// A call that is not counted has nobody to tell.
impl<P: Settle> Settle for Option<P> {
    #[inline]
    fn settle(&mut self, outcome: Outcome) {
        if let Some(permit) = self {
            permit.settle(outcome);
        }
    }

    #[inline]
    fn waits(&mut self) {
        if let Some(permit) = self {
            permit.waits();
        }
    }
}

/// A service behind a guard that judges its calls.
///
/// It is ready when the service inside is: a guard that lets nobody in refuses in `call`.
#[derive(Clone, Copy, Debug)]
pub struct Judged<S, G, C, R> {
    inner: S,
    guard: G,
    classify: C,
    reject: R,
}

impl<S, G, C, R> Judged<S, G, C, R> {
    pub(crate) const fn new(inner: S, guard: G, classify: C, reject: R) -> Self {
        Self { inner, guard, classify, reject }
    }

    inner_accessors!();
}

impl<S, G, C, R, Req> Service<Req> for Judged<S, G, C, R>
where
    S: Service<Req>,
    G: LetIn<Req>,
    C: Classify<S::Response, S::Error> + Clone,
    R: Reject<S::Response, S::Error>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, S::Response, S::Error, G::Permit, C>;

    #[inline]
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let state = match self.guard.let_in(&request) {
            Ok(permit) => State::LetIn {
                inner: self.inner.call(request),
                permit,
                classify: self.classify.clone(),
            },
            Err(rejected) => State::Refused { answer: Some(self.reject.reject(rejected)) },
        };
        ResponseFuture { state }
    }
}

pin_project! {
    /// The answer of a [`Judged`] service. Dropping it before it is ready is a cancelled call.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use obs_core::circuit::CircuitBreaker;
    /// use obs_tower::circuit_breaker::CircuitBreakerLayer;
    /// use tower::{Layer, Service, service_fn};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let breaker = CircuitBreaker::builder("inventory").build()?;
    /// let mut service = CircuitBreakerLayer::new(breaker.clone()).layer(service_fn(
    ///     |_: Request<()>| async { Ok::<_, std::convert::Infallible>(Response::new(bytes::Bytes::new())) },
    /// ));
    /// // A call that is dropped is never a success.
    /// drop(service.call(Request::new(())));
    /// assert_eq!(breaker.totals().calls, 0);
    /// assert_eq!(service.call(Request::new(())).await.unwrap().status(), 200);
    /// assert_eq!(breaker.totals().calls, 1);
    /// # Ok::<_, obs_core::config::ConfigError>(()) }).unwrap();
    /// ```
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, Res, Err, P, C> {
        #[pin]
        state: State<F, Res, Err, P, C>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F, Res, Err, P, C> {
        LetIn { #[pin] inner: F, permit: P, classify: C },
        Refused { answer: Option<Result<Res, Err>> },
    }
}

impl<F, Res, Err, P, C> Future for ResponseFuture<F, Res, Err, P, C>
where
    F: Future<Output = Result<Res, Err>>,
    P: Settle,
    C: Classify<Res, Err>,
{
    type Output = Result<Res, Err>;

    #[inline]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::LetIn { inner, permit, classify } => {
                let poll = on_panic(|| inner.poll(context), || permit.settle(Outcome::Panic));
                let Poll::Ready(result) = poll else {
                    permit.waits();
                    return Poll::Pending;
                };
                permit.settle(classify.classify(result.as_ref()));
                Poll::Ready(result)
            }
            // Pending for ever once answered, as a future polled after its end may be.
            StateProjection::Refused { answer } => answer.take().map_or(Poll::Pending, Poll::Ready),
        }
    }
}

impl<F, Res, Err, P, C> fmt::Debug for ResponseFuture<F, Res, Err, P, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("let_in", &matches!(self.state, State::LetIn { .. }))
            .finish_non_exhaustive()
    }
}
