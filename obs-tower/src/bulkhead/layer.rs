use std::mem;
use std::task::{Context, Poll};

use tower_layer::Layer;
use tower_service::Service;

use super::permit::Admission;
use super::{Bulkhead, Hold, Place, ResponseFuture, UntilEndOfBody, UntilHeaders};
use crate::deadline::inherited;
use crate::reject::{AsResponse, Reject, Rejected};

/// Finds where a request stands among the others.
///
/// ```
/// use http::Request;
/// use obs_tower::bulkhead::{Place, PlaceOf, Share};
///
/// // Functions of the request are what one gives `place_by`.
/// fn by_path(request: &Request<()>) -> Place<'_> {
///     Place::default().share(Share::of(request.uri().path()))
/// }
/// let request = Request::get("/reports").body(()).unwrap();
/// let _place = by_path.place_of(&request);
/// ```
pub trait PlaceOf<Req> {
    /// The place of `request`.
    fn place_of<'a>(&self, request: &'a Req) -> Place<'a>;
}

impl<F, Req> PlaceOf<Req> for F
where
    F: for<'a> Fn(&'a Req) -> Place<'a>,
{
    fn place_of<'a>(&self, request: &'a Req) -> Place<'a> {
        self(request)
    }
}

/// All requests are equal.
///
/// ```
/// use http::Request;
/// use obs_tower::bulkhead::{NoShares, PlaceOf};
///
/// // All requests are alike.
/// let _place = NoShares.place_of(&Request::new(()));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct NoShares;

impl<Req> PlaceOf<Req> for NoShares {
    #[inline]
    fn place_of<'a>(&self, _: &'a Req) -> Place<'a> {
        Place::default()
    }
}

/// Puts a bulkhead around a service.
///
/// `P` finds the place of a request, `R` answers refused ones, `H` says how long room is held.
///
/// ```
/// use http::Request;
/// use obs_tower::bulkhead::{Bulkhead, BulkheadLayer, Place, Share};
/// use obs_tower::reject::AsError;
///
/// fn by_path(request: &Request<()>) -> Place<'_> {
///     Place::default().share(Share::of(request.uri().path()))
/// }
///
/// let layer = BulkheadLayer::new(Bulkhead::builder("orders").build()?)
///     .place_by(by_path)
///     // For a client: refusals are errors, not responses.
///     .reject_with(AsError)
///     .hold_to_end_of_body();
/// # let _ = layer;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct BulkheadLayer<P = NoShares, R = AsResponse, H = UntilHeaders> {
    bulkhead: Bulkhead,
    place_of: P,
    reject: R,
    hold: H,
}

impl BulkheadLayer {
    /// All calls go through `bulkhead`.
    #[must_use]
    pub const fn new(bulkhead: Bulkhead) -> Self {
        Self { bulkhead, place_of: NoShares, reject: AsResponse, hold: UntilHeaders }
    }
}

impl<P, R, H> BulkheadLayer<P, R, H> {
    /// Finds the share and the priority of each request. Default: one share for all, each of normal
    /// priority.
    #[must_use]
    pub fn place_by<Req, F>(self, place_of: F) -> BulkheadLayer<F, R, H>
    where
        F: for<'a> Fn(&'a Req) -> Place<'a>,
    {
        let Self { bulkhead, reject, hold, .. } = self;
        BulkheadLayer { bulkhead, place_of, reject, hold }
    }

    /// Answers refused calls with `reject`; see [`Reject`]. Default
    /// [`AsResponse`](crate::reject::AsResponse).
    #[must_use]
    pub fn reject_with<R2>(self, reject: R2) -> BulkheadLayer<P, R2, H> {
        let Self { bulkhead, place_of, hold, .. } = self;
        BulkheadLayer { bulkhead, place_of, reject, hold }
    }

    /// Holds room to the end of the response's body instead of to its headers.
    #[must_use]
    pub fn hold_to_end_of_body(self) -> BulkheadLayer<P, R, UntilEndOfBody> {
        let Self { bulkhead, place_of, reject, .. } = self;
        BulkheadLayer { bulkhead, place_of, reject, hold: UntilEndOfBody }
    }
}

impl<S, P: Clone, R: Clone, H: Clone> Layer<S> for BulkheadLayer<P, R, H> {
    type Service = BulkheadService<S, P, R, H>;

    fn layer(&self, inner: S) -> Self::Service {
        BulkheadService { inner, layer: self.clone() }
    }
}

/// A service behind a bulkhead; made by [`BulkheadLayer`].
///
/// ```
/// use obs_tower::bulkhead::{Bulkhead, BulkheadLayer};
/// use tower::Layer;
///
/// let mut service = BulkheadLayer::new(Bulkhead::builder("orders").build()?).layer("inside");
/// assert_eq!(*service.get_ref(), "inside");
/// *service.get_mut() = "another";
/// assert_eq!(service.into_inner(), "another");
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct BulkheadService<S, P = NoShares, R = AsResponse, H = UntilHeaders> {
    inner: S,
    layer: BulkheadLayer<P, R, H>,
}

impl<S, P, R, H> BulkheadService<S, P, R, H> {
    inner_accessors!();
}

/// `S` is `Clone` because a call that waits takes the instance that is ready along and leaves
/// another in its place.
impl<S, P, R, H, Req> Service<Req> for BulkheadService<S, P, R, H>
where
    S: Service<Req> + Clone,
    P: PlaceOf<Req>,
    R: Reject<S::Response, S::Error> + Clone,
    H: Hold<S::Response> + Clone,
{
    type Response = H::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S, Req, R, H>;

    #[inline]
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        let BulkheadLayer { bulkhead, place_of, reject, hold } = &self.layer;
        let (place, hold) = (place_of.place_of(&request), hold.clone());
        match bulkhead.admit(place, true, || bulkhead.clock().coarse(), inherited) {
            Admission::Admitted(ticket) => {
                let permit = bulkhead.permit(ticket);
                ResponseFuture::running(self.inner.call(request), permit, hold)
            }
            Admission::Queued(waiting) => {
                let next = self.inner.clone();
                let ready = mem::replace(&mut self.inner, next);
                ResponseFuture::queued(ready, request, waiting, reject.clone(), hold)
            }
            Admission::Full(full) => {
                ResponseFuture::refused(reject.reject(Rejected::from(full)), hold)
            }
        }
    }
}
