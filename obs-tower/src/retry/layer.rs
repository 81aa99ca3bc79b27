use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tower_layer::Layer;
use tower_service::Service;

use super::policy::{is_repeatable, set_attempt};
use super::{ReplayBody, Retry, RetryPolicy};
use crate::classify::{Classify, HttpStatus};

/// Repeats HTTP requests that failed.
///
/// The inner service gets requests with a [`ReplayBody`]. `C` reads results, [`HttpStatus`] unless
/// set.
///
/// ```
/// use obs_tower::classify::HttpStatus;
/// use obs_tower::retry::{Retry, RetryLayer};
///
/// let retry = Retry::builder("inventory").build()?;
/// let layer = RetryLayer::new(retry).classify_with(HttpStatus);
/// # let _ = layer;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RetryLayer<C = HttpStatus> {
    policy: RetryPolicy<C>,
}

impl RetryLayer {
    /// Repeats as `retry` says.
    #[must_use]
    pub const fn new(retry: Retry) -> Self {
        Self { policy: RetryPolicy::new(retry) }
    }
}

impl<C> RetryLayer<C> {
    /// Reads results with `classify`; see [`Classify`]. Default
    /// [`HttpStatus`](crate::classify::HttpStatus).
    #[must_use]
    pub fn classify_with<C2>(self, classify: C2) -> RetryLayer<C2> {
        RetryLayer { policy: self.policy.with_classifier(classify) }
    }
}

impl<S, C: Clone> Layer<S> for RetryLayer<C> {
    type Service = RetryService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        RetryService {
            retry: tower::retry::Retry::new(self.policy.clone(), inner),
            policy: self.policy.clone(),
        }
    }
}

/// A service whose failed requests are repeated; made by [`RetryLayer`].
///
/// ```
/// use obs_tower::retry::{Retry, RetryLayer};
/// use tower::Layer;
///
/// let mut service = RetryLayer::new(Retry::builder("inventory").build()?).layer("inside");
/// assert_eq!(*service.get_ref(), "inside");
/// *service.get_mut() = "another";
/// assert_eq!(service.into_inner(), "another");
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RetryService<S, C = HttpStatus> {
    retry: tower::retry::Retry<RetryPolicy<C>, S>,
    policy: RetryPolicy<C>,
}

impl<S, C> RetryService<S, C> {
    /// The service that is called.
    pub fn get_ref(&self) -> &S {
        self.retry.get_ref()
    }

    /// The service that is called.
    pub fn get_mut(&mut self) -> &mut S {
        self.retry.get_mut()
    }

    /// The service without retries.
    pub fn into_inner(self) -> S {
        self.retry.into_inner()
    }
}

impl<S, C, B, B2> Service<Request<B>> for RetryService<S, C>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<B2>> + Clone,
    C: Classify<Response<B2>, S::Error> + Clone,
    B: Body<Data = Bytes> + Unpin,
{
    type Response = Response<B2>;
    type Error = S::Error;
    type Future = ResponseFuture<S, C, B, B2>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.retry.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (may_follow, most) = self.policy.retry().begin();
        let repeatable = may_follow && is_repeatable(&request);
        let mut request = request.map(|body| {
            if repeatable { ReplayBody::new(body, most) } else { ReplayBody::once(body) }
        });
        if repeatable {
            set_attempt(&mut request, 1);
        }
        ResponseFuture { inner: self.retry.call(request) }
    }
}

pin_project! {
    /// The answer of a [`RetryService`]. Dropping it makes no further attempt.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Request, Response};
    /// use http_body_util::Full;
    /// use obs_tower::retry::{ReplayBody, Retry, RetryLayer};
    /// use tower::{Layer, Service, service_fn};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let layer = RetryLayer::new(Retry::builder("inventory").build()?);
    /// let mut service = layer.layer(service_fn(|_: Request<ReplayBody<Full<Bytes>>>| async {
    ///     Ok::<_, std::io::Error>(Response::new(Full::<Bytes>::default()))
    /// }));
    /// let future = service.call(Request::new(Full::default()));
    /// assert_eq!(future.await?.status(), 200);
    /// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<S, C, B, B2>
    where
        S: Service<Request<ReplayBody<B>>, Response = Response<B2>>,
        C: Classify<Response<B2>, S::Error>,
        B: Body<Data = Bytes>,
        B: Unpin,
    {
        #[pin]
        inner: tower::retry::future::ResponseFuture<RetryPolicy<C>, S, Request<ReplayBody<B>>>,
    }
}

impl<S, C, B, B2> Future for ResponseFuture<S, C, B, B2>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<B2>>,
    C: Classify<Response<B2>, S::Error>,
    B: Body<Data = Bytes> + Unpin,
{
    type Output = Result<Response<B2>, S::Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(context)
    }
}

impl<S, C, B, B2> fmt::Debug for ResponseFuture<S, C, B, B2>
where
    S: Service<Request<ReplayBody<B>>, Response = Response<B2>>,
    C: Classify<Response<B2>, S::Error>,
    B: Body<Data = Bytes> + Unpin,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
