use http::Request;
use obs_core::outcome::Outcome;
use tower_layer::Layer;

use super::{LoadShed, LoadShedPermit};
use crate::classify::HttpStatus;
use crate::deadline::inherited;
use crate::judged::{Judged, LetIn, Settle};
use crate::priority::Priority;
use crate::reject::{AsResponse, Rejected};

/// How important a request is to the limit.
///
/// ```
/// use http::Request;
/// use obs_tower::load_shed::Importance;
/// use obs_tower::priority::Priority;
///
/// fn checkout_first(request: &Request<()>) -> Option<Priority> {
///     Some(if request.uri().path() == "/checkout" { Priority::High } else { Priority::Normal })
/// }
/// let request = Request::get("/checkout").body(()).unwrap();
/// assert_eq!(checkout_first.importance(&request), Some(Priority::High));
/// ```
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
///
/// ```
/// use http::Request;
/// use obs_tower::load_shed::{ByRoute, Importance};
///
/// // Probes are neither counted nor shed.
/// let probe = Request::get("/live").body(()).unwrap();
/// assert_eq!(ByRoute.importance(&probe), None);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct ByRoute;

impl<B> Importance<Request<B>> for ByRoute {
    #[inline]
    fn importance(&self, request: &Request<B>) -> Option<Priority> {
        // Orchestrators restart what does not answer these, which makes an overload worse.
        let bypasses = match request.uri().path() {
            "/health" | "/healthz" | "/live" | "/livez" | "/ready" | "/readyz" => true,
            path => path.starts_with("/health/"),
        };
        (!bypasses).then(|| Priority::of(request))
    }
}

/// Sheds what a service could not serve in time.
///
/// `C` reads results, [`HttpStatus`] unless set; `R` answers shed calls; `I` says how important a
/// request is, [`ByRoute`] unless set.
///
/// ```
/// use http::Request;
/// use obs_tower::classify::GrpcStatus;
/// use obs_tower::load_shed::{LoadShed, LoadShedLayer};
/// use obs_tower::priority::Priority;
/// use obs_tower::reject::AsError;
///
/// let layer = LoadShedLayer::new(LoadShed::builder("orders").build()?)
///     .importance_by(|request: &Request<()>| Some(Priority::of(request)))
///     .classify_with(GrpcStatus)
///     .reject_with(AsError);
/// # let _ = layer;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
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
    /// Says how important requests are. Default [`ByRoute`](super::ByRoute).
    #[must_use]
    pub fn importance_by<Req, F>(self, importance: F) -> LoadShedLayer<F, C, R>
    where
        F: Fn(&Req) -> Option<Priority>,
    {
        let Self { shed, classify, reject, .. } = self;
        LoadShedLayer { shed, importance, classify, reject }
    }

    /// Reads results with `classify`; see [`Classify`](crate::classify::Classify). Default
    /// [`HttpStatus`](crate::classify::HttpStatus).
    #[must_use]
    pub fn classify_with<C2>(self, classify: C2) -> LoadShedLayer<I, C2, R> {
        let Self { shed, importance, reject, .. } = self;
        LoadShedLayer { shed, importance, classify, reject }
    }

    /// Answers shed calls with `reject`; see [`Reject`](crate::reject::Reject). Default
    /// [`AsResponse`](crate::reject::AsResponse).
    #[must_use]
    pub fn reject_with<R2>(self, reject: R2) -> LoadShedLayer<I, C, R2> {
        let Self { shed, importance, classify, .. } = self;
        LoadShedLayer { shed, importance, classify, reject }
    }
}

impl<S, I: Clone, C: Clone, R: Clone> Layer<S> for LoadShedLayer<I, C, R> {
    type Service = LoadShedService<S, I, C, R>;

    fn layer(&self, inner: S) -> Self::Service {
        let Self { shed, importance, classify, reject } = self.clone();
        Judged::new(inner, Shedding { shed, importance }, classify, reject)
    }
}

/// A service that sheds; made by [`LoadShedLayer`].
pub type LoadShedService<S, I = ByRoute, C = HttpStatus, R = AsResponse> =
    Judged<S, Shedding<I>, C, R>;

/// A limit, and how important requests are to it.
///
/// ```
/// use http::{Request, Response};
/// use obs_tower::load_shed::{LoadShed, LoadShedLayer};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let shed = LoadShed::builder("orders").build()?;
/// let service = LoadShedLayer::new(shed).layer(service_fn(|_: Request<()>| async {
///     Ok::<_, std::convert::Infallible>(Response::new(bytes::Bytes::new()))
/// }));
/// assert_eq!(service.oneshot(Request::new(())).await.unwrap().status(), 200);
/// # Ok::<_, obs_core::config::ConfigError>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Shedding<I> {
    shed: LoadShed,
    importance: I,
}

impl<I: Importance<Req>, Req> LetIn<Req> for Shedding<I> {
    type Permit = Option<LoadShedPermit>;

    #[inline]
    fn let_in(&self, request: &Req) -> Result<Option<LoadShedPermit>, Rejected> {
        let admit = |priority| self.shed.begin(priority);
        Ok(self.importance.importance(request).map(admit).transpose()?)
    }
}

impl Settle for LoadShedPermit {
    #[inline]
    fn settle(&mut self, outcome: Outcome) {
        self.end(outcome);
    }

    #[inline]
    fn waits(&mut self) {
        if self.is_fresh() {
            LoadShedPermit::waits(self, inherited());
        }
    }
}
