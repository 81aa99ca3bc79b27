use std::task::{Context, Poll};

use obs_core::outcome::Outcome;
use tower_layer::Layer;
use tower_service::Service;

use super::{Fallback, Oneshot, ResponseFuture};
use crate::classify::{Classify, HttpStatus};

/// Puts a fallback behind a service.
///
/// `F` is what to fall back to, [`ToValue`] or [`ToService`]; `C` reads results, [`HttpStatus`]
/// unless set.
///
/// ```
/// use http::Response;
/// use obs_core::outcome::Outcome;
/// use obs_tower::classify::HttpStatus;
/// use obs_tower::fallback::{Fallback, FallbackLayer};
///
/// let layer = FallbackLayer::value(|_| Ok::<_, std::io::Error>(Response::new("[]")))
///     .classify_with(HttpStatus)
///     .handle(Fallback::builder("menu").build()?)
///     .when(|outcome| matches!(outcome, Outcome::Rejected(_)));
/// # let _ = layer;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct FallbackLayer<F, C = HttpStatus> {
    fallback: F,
    classify: C,
    when: fn(Outcome) -> bool,
    handle: Option<Fallback>,
}

/// Falls back to what a function makes of the outcome.
///
/// ```
/// use http::{Request, Response};
/// use obs_tower::fallback::FallbackLayer;
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let service = FallbackLayer::value(|outcome: obs_core::outcome::Outcome| {
///     Ok::<_, std::io::Error>(Response::new(outcome.as_str()))
/// })
/// .layer(service_fn(|_: Request<()>| async { Err::<Response<&str>, _>(std::io::Error::other("gone")) }));
/// assert_eq!(*service.oneshot(Request::new(())).await.unwrap().body(), "service_error");
/// # });
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ToValue<V>(V);

/// Falls back to a service, which gets a copy of the request.
///
/// ```
/// use http::{Request, Response};
/// use obs_tower::fallback::FallbackLayer;
/// use tower::service_fn;
///
/// let replica = service_fn(|_: Request<()>| async {
///     Ok::<_, std::io::Error>(Response::new("from the replica"))
/// });
/// let layer = FallbackLayer::service(replica, |request: &Request<()>| Some(request.clone()));
/// # let _ = layer;
/// ```
#[derive(Clone, Copy, Debug)]
pub struct ToService<S, K> {
    service: S,
    copy: K,
}

/// Copies a request for the service to fall back to; `None` if it cannot be copied.
pub type CopyRequest<Req> = fn(&Req) -> Option<Req>;

impl<V> FallbackLayer<ToValue<V>> {
    /// Answers with what `value` makes of the outcome, an answer or an error.
    #[must_use]
    pub const fn value<Res, Err>(value: V) -> Self
    where
        V: Fn(Outcome) -> Result<Res, Err>,
    {
        Self { fallback: ToValue(value), classify: HttpStatus, when: falls_back, handle: None }
    }
}

impl<S, Req> FallbackLayer<ToService<S, CopyRequest<Req>>> {
    /// Answers with what `service` makes of the copy of the request that `copy` made.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use obs_tower::fallback::FallbackLayer;
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
    /// let primary = service_fn(async |_: Request<()>| Err(std::io::Error::other("gone")));
    /// let replica = service_fn(async |request: Request<()>| {
    ///     Ok::<_, std::io::Error>(Response::new(format!("a copy of {}", request.uri())))
    /// });
    ///
    /// // What changes something is not asked for twice.
    /// let layer = FallbackLayer::service(replica, |request: &Request<()>| {
    ///     request.method().is_safe().then(|| request.clone())
    /// });
    /// let service = layer.layer(primary);
    ///
    /// let read = service.clone().oneshot(Request::get("/menu").body(()).unwrap()).await;
    /// assert_eq!(read.unwrap().body(), "a copy of /menu");
    /// let write = service.oneshot(Request::post("/menu").body(()).unwrap()).await;
    /// assert_eq!(write.unwrap_err().to_string(), "gone");
    /// # });
    /// ```
    #[must_use]
    pub const fn service(service: S, copy: CopyRequest<Req>) -> Self {
        let fallback = ToService { service, copy };
        Self { fallback, classify: HttpStatus, when: falls_back, handle: None }
    }
}

impl<F, C> FallbackLayer<F, C> {
    /// Reads results with `classify`; see [`Classify`]. Default [`HttpStatus`].
    #[must_use]
    pub fn classify_with<C2>(self, classify: C2) -> FallbackLayer<F, C2> {
        let Self { fallback, when, handle, .. } = self;
        FallbackLayer { fallback, classify, when, handle }
    }

    /// Lets `handle` count what falls back, and switch it. Default: nothing counts it.
    #[must_use]
    pub fn handle(mut self, handle: Fallback) -> Self {
        self.handle = Some(handle);
        self
    }

    /// Falls back for these outcomes. Default: faults and refusals.
    #[must_use]
    pub fn when(mut self, when: fn(Outcome) -> bool) -> Self {
        self.when = when;
        self
    }
}

const fn falls_back(outcome: Outcome) -> bool {
    outcome.is_fault() || matches!(outcome, Outcome::Rejected(_))
}

impl<S, F: Clone, C: Clone> Layer<S> for FallbackLayer<F, C> {
    type Service = FallbackService<S, F, C>;

    fn layer(&self, inner: S) -> Self::Service {
        FallbackService { inner, layer: self.clone() }
    }
}

/// What can be fallen back to.
///
/// ```
/// use std::future::{Ready, ready};
///
/// use obs_core::outcome::Outcome;
/// use obs_tower::fallback::{Fall, Prepared};
///
/// /// Answers with the length of the request.
/// struct Length;
/// struct Prepare(usize);
///
/// impl<E> Fall<String, usize, E> for Length {
///     type Prepared = Prepare;
///
///     fn prepare(&self, request: &String) -> Prepare {
///         Prepare(request.len())
///     }
/// }
///
/// impl<E> Prepared<usize, E> for Prepare {
///     type Future = Ready<Result<usize, E>>;
///
///     fn fall(self, _: Outcome) -> Option<Self::Future> {
///         Some(ready(Ok(self.0)))
///     }
/// }
/// ```
pub trait Fall<Req, Res, Err> {
    /// What is ready to answer one request.
    type Prepared: Prepared<Res, Err>;

    /// Keeps what it needs of the request.
    fn prepare(&self, request: &Req) -> Self::Prepared;
}

/// What is ready to answer one request.
///
/// ```
/// use http::Response;
/// use obs_core::outcome::Outcome;
/// use obs_tower::fallback::Prepared;
///
/// /// Falls back to nothing: the failure stays what it is.
/// struct Nothing;
///
/// impl<B, E> Prepared<Response<B>, E> for Nothing {
///     type Future = std::future::Pending<Result<Response<B>, E>>;
///
///     fn fall(self, _: Outcome) -> Option<Self::Future> {
///         None
///     }
/// }
/// assert!(Prepared::<Response<()>, ()>::fall(Nothing, Outcome::ServerError).is_none());
/// ```
pub trait Prepared<Res, Err> {
    /// The answer to come.
    type Future: Future<Output = Result<Res, Err>>;

    /// Answers; `None` if it cannot.
    fn fall(self, outcome: Outcome) -> Option<Self::Future>;
}

impl<Req, Res, Err, V> Fall<Req, Res, Err> for ToValue<V>
where
    V: Fn(Outcome) -> Result<Res, Err> + Clone,
{
    type Prepared = Self;

    fn prepare(&self, _: &Req) -> Self {
        self.clone()
    }
}

impl<Res, Err, V> Prepared<Res, Err> for ToValue<V>
where
    V: Fn(Outcome) -> Result<Res, Err>,
{
    type Future = std::future::Ready<Result<Res, Err>>;

    fn fall(self, outcome: Outcome) -> Option<Self::Future> {
        Some(std::future::ready((self.0)(outcome)))
    }
}

impl<Req, S> Fall<Req, S::Response, S::Error> for ToService<S, CopyRequest<Req>>
where
    S: Service<Req> + Clone,
{
    type Prepared = Copied<S, Req>;

    fn prepare(&self, request: &Req) -> Copied<S, Req> {
        Copied { service: self.service.clone(), request: (self.copy)(request) }
    }
}

/// A service and the copy of a request for it.
///
/// ```
/// use http::{Request, Response};
/// use obs_tower::fallback::{Fall, FallbackLayer, Prepared};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let replica = service_fn(|request: Request<&'static str>| async move {
///     Ok::<_, std::io::Error>(Response::new(request.into_body()))
/// });
/// // The copy is made before the call, and dropped when the call went well.
/// let layer = FallbackLayer::service(replica, |request: &Request<&'static str>| Some(request.clone()));
/// let service = layer.layer(service_fn(|_| async { Err(std::io::Error::other("gone")) }));
/// assert_eq!(*service.oneshot(Request::new("hello")).await.unwrap().body(), "hello");
/// # });
/// ```
#[derive(Clone, Debug)]
pub struct Copied<S, Req> {
    service: S,
    request: Option<Req>,
}

impl<Req, S: Service<Req>> Prepared<S::Response, S::Error> for Copied<S, Req> {
    type Future = Oneshot<S, Req>;

    fn fall(self, _: Outcome) -> Option<Self::Future> {
        Some(Oneshot::new(self.service, self.request?))
    }
}

/// A service with a fallback; made by [`FallbackLayer`].
///
/// ```
/// use http::Response;
/// use obs_tower::fallback::FallbackLayer;
/// use tower::Layer;
///
/// let layer = FallbackLayer::value(|_| Ok::<_, std::io::Error>(Response::new("[]")));
/// let mut service = layer.layer("inside");
/// assert_eq!(*service.get_ref(), "inside");
/// *service.get_mut() = "another";
/// assert_eq!(service.into_inner(), "another");
/// ```
#[derive(Clone, Debug)]
pub struct FallbackService<S, F, C = HttpStatus> {
    inner: S,
    layer: FallbackLayer<F, C>,
}

impl<S, F, C> FallbackService<S, F, C> {
    inner_accessors!();
}

type Fallen<F, Req, S> = <<F as Fall<
    Req,
    <S as Service<Req>>::Response,
    <S as Service<Req>>::Error,
>>::Prepared as Prepared<<S as Service<Req>>::Response, <S as Service<Req>>::Error>>::Future;

impl<S, F, C, Req> Service<Req> for FallbackService<S, F, C>
where
    S: Service<Req>,
    F: Fall<Req, S::Response, S::Error>,
    C: Classify<S::Response, S::Error> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, F::Prepared, Fallen<F, Req, S>, C>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        let FallbackLayer { fallback, classify, when, handle } = &self.layer;
        let prepared = fallback.prepare(&request);
        let (inner, handle) = (self.inner.call(request), handle.clone());
        ResponseFuture::new(inner, prepared, classify.clone(), *when, handle)
    }
}
