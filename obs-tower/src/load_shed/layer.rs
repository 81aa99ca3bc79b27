use std::task::{Context, Poll};

use http::Request;
use tower_layer::Layer;
use tower_service::Service;

use super::{LoadShed, ResponseFuture};
use crate::classify::{Classify, HttpStatus};
use crate::deadline::inherited;
use crate::priority::Priority;
use crate::reject::{AsResponse, Reject, Rejected};

/// How important a request is to the limit.
pub trait Importance<Req> {
    /// The priority of `request`; `None` lets it pass without being counted.
    fn importance(&self, request: &Req) -> Option<Priority>;
}

impl<F, Req> Importance<Req> for F
where
    F: Fn(&Req) -> Option<Priority>,
{
    fn importance(&self, request: &Req) -> Option<Priority> {
        self(request)
    }
}

/// [`Priority::of`] the request, and `None` for the health and control routes of the suite.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByRoute;

/// Orchestrators restart what does not answer these, which makes an overload worse.
const BYPASS: [&str; 5] = ["/health", "/healthz", "/live", "/livez", "/ready"];

impl<B> Importance<Request<B>> for ByRoute {
    #[inline]
    fn importance(&self, request: &Request<B>) -> Option<Priority> {
        let path = request.uri().path();
        let bypasses = BYPASS.contains(&path) || path == "/readyz" || path.starts_with("/health/");
        (!bypasses).then(|| Priority::of(request))
    }
}

/// Sheds what a service could not serve in time.
///
/// `C` reads results, [`HttpStatus`] unless set; `R` answers shed calls; `I` says how important a
/// request is, [`ByRoute`] unless set.
#[derive(Clone, Debug)]
pub struct LoadShedLayer<I = ByRoute, C = HttpStatus, R = AsResponse> {
    shed: LoadShed,
    importance: I,
    classify: C,
    reject: R,
}

impl LoadShedLayer {
    /// All calls count towards `shed`.
    #[must_use]
    pub const fn new(shed: LoadShed) -> Self {
        Self { shed, importance: ByRoute, classify: HttpStatus, reject: AsResponse }
    }
}

impl<I, C, R> LoadShedLayer<I, C, R> {
    /// Says how important requests are.
    #[must_use]
    pub fn importance_by<Req, F>(self, importance: F) -> LoadShedLayer<F, C, R>
    where
        F: Fn(&Req) -> Option<Priority>,
    {
        let Self { shed, classify, reject, .. } = self;
        LoadShedLayer { shed, importance, classify, reject }
    }

    /// Reads results with `classify`; see [`Classify`].
    #[must_use]
    pub fn classify_with<C2>(self, classify: C2) -> LoadShedLayer<I, C2, R> {
        let Self { shed, importance, reject, .. } = self;
        LoadShedLayer { shed, importance, classify, reject }
    }

    /// Answers shed calls with `reject`; see [`Reject`].
    #[must_use]
    pub fn reject_with<R2>(self, reject: R2) -> LoadShedLayer<I, C, R2> {
        let Self { shed, importance, classify, .. } = self;
        LoadShedLayer { shed, importance, classify, reject }
    }
}

impl<S, I: Clone, C: Clone, R: Clone> Layer<S> for LoadShedLayer<I, C, R> {
    type Service = LoadShedService<S, I, C, R>;

    fn layer(&self, inner: S) -> Self::Service {
        LoadShedService { inner, layer: self.clone() }
    }
}

/// A service that sheds; made by [`LoadShedLayer`].
#[derive(Clone, Debug)]
pub struct LoadShedService<S, I = ByRoute, C = HttpStatus, R = AsResponse> {
    inner: S,
    layer: LoadShedLayer<I, C, R>,
}

impl<S, I, C, R> LoadShedService<S, I, C, R> {
    /// The service behind the limit.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service behind the limit.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service without the limit.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, I, C, R, Req> Service<Req> for LoadShedService<S, I, C, R>
where
    S: Service<Req>,
    I: Importance<Req>,
    C: Classify<S::Response, S::Error> + Clone,
    R: Reject<S::Response, S::Error>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, S::Response, S::Error, C>;

    #[inline]
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let LoadShedLayer { shed, importance, classify, reject } = &self.layer;
        let permit = match importance.importance(&request) {
            None => None,
            Some(priority) => {
                match shed.try_acquire_at(priority, shed.clock().now(), inherited()) {
                    Ok(permit) => Some(permit),
                    Err(shed) => {
                        return ResponseFuture::shed(reject.reject(Rejected::from(shed)));
                    }
                }
            }
        };
        let classify = classify.clone();
        ResponseFuture::running(self.inner.call(request), permit, shed.clone(), classify)
    }
}
