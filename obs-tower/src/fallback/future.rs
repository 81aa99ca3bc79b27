use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use obs_core::outcome::Outcome;
use pin_project_lite::pin_project;
use tower_service::Service;

use super::{Fallback, Prepared};
use crate::classify::Classify;

pin_project! {
    /// The answer of a [`FallbackService`](super::FallbackService).
    ///
    /// ```
    /// use http::{Request, Response};
    /// use obs_tower::fallback::FallbackLayer;
    /// use tower::{Layer, Service, service_fn};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let mut service = FallbackLayer::value(|_| Ok(Response::new("from yesterday"))).layer(
    ///     service_fn(|_: Request<()>| async { Err::<Response<&str>, _>(std::io::Error::other("gone")) }),
    /// );
    /// let future = service.call(Request::new(()));
    /// assert_eq!(*future.await.unwrap().body(), "from yesterday");
    /// # });
    /// ```
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<P, K, B, C> {
        #[pin]
        state: State<P, B>,
        prepared: Option<K>,
        classify: C,
        when: fn(Outcome) -> bool,
        handle: Option<Fallback>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<P, B> {
        Primary { #[pin] inner: P },
        Fallen { #[pin] inner: B },
    }
}

impl<P, K, B, C> ResponseFuture<P, K, B, C> {
    pub(super) fn new(
        inner: P,
        prepared: K,
        classify: C,
        when: fn(Outcome) -> bool,
        handle: Option<Fallback>,
    ) -> Self {
        Self { state: State::Primary { inner }, prepared: Some(prepared), classify, when, handle }
    }
}

impl<P, K, B, C, Res, Err> Future for ResponseFuture<P, K, B, C>
where
    P: Future<Output = Result<Res, Err>>,
    K: Prepared<Res, Err, Future = B>,
    B: Future<Output = Result<Res, Err>>,
    C: Classify<Res, Err>,
{
    type Output = Result<Res, Err>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let result = match this.state.as_mut().project() {
                StateProjection::Fallen { inner } => return inner.poll(context),
                StateProjection::Primary { inner } => ready!(inner.poll(context)),
            };
            let outcome = this.classify.classify(result.as_ref());
            let stands_in = || this.handle.as_ref().is_none_or(Fallback::stands_in);
            let prepared = this.prepared.take().filter(|_| (this.when)(outcome) && stands_in());
            match prepared.and_then(|prepared| prepared.fall(outcome)) {
                None => return Poll::Ready(result),
                Some(inner) => this.state.set(State::Fallen { inner }),
            }
        }
    }
}

impl<P, K, B, C> fmt::Debug for ResponseFuture<P, K, B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture")
            .field("fallen", &matches!(self.state, State::Fallen { .. }))
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// Makes a service ready and calls it once.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use obs_tower::fallback::FallbackLayer;
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let replica = service_fn(|_: Request<()>| async {
    ///     Ok::<_, std::io::Error>(Response::new("from the replica"))
    /// });
    /// let service = FallbackLayer::service(replica, |request: &Request<()>| Some(request.clone())).layer(
    ///     service_fn(|_: Request<()>| async { Err::<Response<&str>, _>(std::io::Error::other("gone")) }),
    /// );
    /// assert_eq!(*service.oneshot(Request::new(())).await.unwrap().body(), "from the replica");
    /// # });
    /// ```
    #[must_use = "futures do nothing unless polled"]
    pub struct Oneshot<S: Service<Req>, Req> {
        call: Option<(S, Req)>,
        #[pin]
        inner: Option<S::Future>,
    }
}

impl<S: Service<Req>, Req> Oneshot<S, Req> {
    pub(super) const fn new(service: S, request: Req) -> Self {
        Self { call: Some((service, request)), inner: None }
    }
}

impl<S: Service<Req>, Req> Future for Oneshot<S, Req> {
    type Output = Result<S::Response, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        if let Some((service, _)) = this.call {
            ready!(service.poll_ready(context))?;
        }
        if let Some((mut service, request)) = this.call.take() {
            this.inner.set(Some(service.call(request)));
        }
        this.inner.as_pin_mut().map_or(Poll::Pending, |inner| inner.poll(context))
    }
}

impl<S: Service<Req>, Req> fmt::Debug for Oneshot<S, Req> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Oneshot").field("called", &self.call.is_none()).finish_non_exhaustive()
    }
}
