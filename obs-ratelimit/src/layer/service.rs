use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use tower_service::Service;

use super::future::refuse;
use super::{ResponseBody, ResponseFuture};
use crate::limiter::{Decision, Limiter, RequestCost};

/// A service whose requests are limited; made by [`RateLimitLayer`](super::RateLimitLayer).
///
/// ```
/// use obs_ratelimit::{Limiter, Policy, Quota, RateLimit};
/// use tower::Layer;
///
/// let limiter = Limiter::new(Policy::builder("all", Quota::per_second(10)).build()?)?;
/// let mut service = RateLimit::<()>::layer(limiter.clone()).layer("the service inside");
/// assert_eq!(*service.get_ref(), "the service inside");
/// *service.get_mut() = "another";
/// assert_eq!(RateLimit::new("this", limiter).into_inner(), "this");
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RateLimit<S> {
    inner: S,
    limiter: Limiter,
}

impl<S> RateLimit<S> {
    /// Limits `inner`.
    #[must_use]
    pub const fn new(inner: S, limiter: Limiter) -> Self {
        Self { inner, limiter }
    }

    /// The layer of this limiter.
    #[must_use]
    pub const fn layer(limiter: Limiter) -> super::RateLimitLayer {
        super::RateLimitLayer::new(limiter)
    }

    /// The service inside.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service inside.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service inside.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for RateLimit<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ResBody: From<Bytes>,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, ReqBody>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        if self.limiter.0.late_cost && parts.extensions.get::<RequestCost>().is_none() {
            parts.extensions.insert(RequestCost::new());
        }
        match self.limiter.decide(&parts, self.limiter.tell()) {
            Decision::Passed(passed) => {
                let future = self.inner.call(Request::from_parts(parts, body));
                ResponseFuture::passed(future, &self.limiter, passed)
            }
            Decision::Denied(denied) => ResponseFuture::refused(refuse(&self.limiter, &denied)),
            Decision::Pending(pending) => {
                // The one that is ready goes with the request; its clone must become ready anew.
                let clone = self.inner.clone();
                let ready = std::mem::replace(&mut self.inner, clone);
                let request = Request::from_parts(parts, body);
                ResponseFuture::pending(ready, request, self.limiter.clone(), pending)
            }
        }
    }
}
