use std::task::{Context, Poll};
use std::time::Duration;

use tower_layer::Layer;
use tower_service::Service;

use super::{ResponseFuture, TimeLimiter};
use crate::deadline::inherited;
use crate::reject::{AsResponse, Reject};

/// The time that a request may take, if it is not the limiter's default.
///
/// ```
/// use std::time::Duration;
///
/// use http::Request;
/// use obs_tower::timeout::LimitOf;
///
/// fn longer_for_reports(request: &Request<()>) -> Option<Duration> {
///     (request.uri().path() == "/reports").then_some(Duration::from_secs(30))
/// }
/// let request = Request::get("/reports").body(()).unwrap();
/// assert_eq!(longer_for_reports.limit_of(&request), Some(Duration::from_secs(30)));
/// ```
pub trait LimitOf<Req> {
    /// The limit of `request`; `None` for the default.
    fn limit_of(&self, request: &Req) -> Option<Duration>;
}

impl<F, Req> LimitOf<Req> for F
where
    F: Fn(&Req) -> Option<Duration>,
{
    fn limit_of(&self, request: &Req) -> Option<Duration> {
        self(request)
    }
}

/// The default for all.
///
/// ```
/// use http::Request;
/// use obs_tower::timeout::{DefaultLimit, LimitOf};
///
/// assert_eq!(DefaultLimit.limit_of(&Request::new(())), None);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultLimit;

impl<Req> LimitOf<Req> for DefaultLimit {
    #[inline]
    fn limit_of(&self, _: &Req) -> Option<Duration> {
        None
    }
}

/// Limits the time of each call.
///
/// `L` finds the limit of a request, the limiter's default unless set; `R` answers calls that ran
/// out of time, [`AsResponse`] unless set.
///
/// ```
/// use obs_tower::reject::AsError;
/// use obs_tower::timeout::{TimeLimiter, TimeoutLayer};
///
/// // For a client: a call that took too long is an error, not a response.
/// let layer = TimeoutLayer::new(TimeLimiter::builder("inventory").build()?).reject_with(AsError);
/// # let _ = layer;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TimeoutLayer<L = DefaultLimit, R = AsResponse> {
    limiter: TimeLimiter,
    limit_of: L,
    reject: R,
}

impl TimeoutLayer {
    /// All calls get the limit of `limiter`.
    #[must_use]
    pub const fn new(limiter: TimeLimiter) -> Self {
        Self { limiter, limit_of: DefaultLimit, reject: AsResponse }
    }
}

impl<L, R> TimeoutLayer<L, R> {
    /// Sets limits by operation, tenant, or whatever a request shows. Default: that of the limiter.
    ///
    /// ```
    /// use std::time::Duration;
    /// use http::Request;
    /// use obs_tower::timeout::{TimeLimiter, TimeoutLayer};
    ///
    /// fn exports_may_take_longer(request: &Request<String>) -> Option<Duration> {
    ///     request.uri().path().starts_with("/exports").then_some(Duration::from_secs(60))
    /// }
    /// let layer = TimeoutLayer::new(TimeLimiter::builder("api").build()?)
    ///     .limit_by(exports_may_take_longer);
    /// # Ok::<_, obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub fn limit_by<Req, F>(self, limit_of: F) -> TimeoutLayer<F, R>
    where
        F: Fn(&Req) -> Option<Duration>,
    {
        TimeoutLayer { limiter: self.limiter, limit_of, reject: self.reject }
    }

    /// Answers calls that ran out of time with `reject`; see [`Reject`]. Default
    /// [`AsResponse`](crate::reject::AsResponse).
    #[must_use]
    pub fn reject_with<R2>(self, reject: R2) -> TimeoutLayer<L, R2> {
        TimeoutLayer { limiter: self.limiter, limit_of: self.limit_of, reject }
    }
}

impl<S, L: Clone, R: Clone> Layer<S> for TimeoutLayer<L, R> {
    type Service = TimeoutService<S, L, R>;

    fn layer(&self, inner: S) -> Self::Service {
        TimeoutService { inner, layer: self.clone() }
    }
}

/// A service with a time limit; made by [`TimeoutLayer`].
///
/// ```
/// use obs_tower::timeout::{TimeLimiter, TimeoutLayer};
/// use tower::Layer;
///
/// let mut service = TimeoutLayer::new(TimeLimiter::builder("inventory").build()?).layer("inside");
/// assert_eq!(*service.get_ref(), "inside");
/// *service.get_mut() = "another";
/// assert_eq!(service.into_inner(), "another");
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct TimeoutService<S, L = DefaultLimit, R = AsResponse> {
    inner: S,
    layer: TimeoutLayer<L, R>,
}

impl<S, L, R> TimeoutService<S, L, R> {
    inner_accessors!();
}

impl<S, L, R, Req> Service<Req> for TimeoutService<S, L, R>
where
    S: Service<Req>,
    L: LimitOf<Req>,
    R: Reject<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, S::Response, S::Error, R>;

    #[inline]
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let TimeoutLayer { limiter, limit_of, reject } = &self.layer;
        let now = limiter.clock().coarse();
        match limiter.start(now, limit_of.limit_of(&request), inherited()) {
            Ok(limit) => {
                let _scope = limit.enter();
                let inner = self.inner.call(request);
                ResponseFuture::running(inner, limit, limiter.clone(), reject.clone())
            }
            Err(rejected) => ResponseFuture::refused(reject.reject(rejected)),
        }
    }
}
