use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::body::ResponseBody;
use super::builder::ObserveLayerBuilder;
use super::future::ResponseFuture;
use super::head::RequestHead;
use super::observer::Observer;
use super::request_body;
use obs_core::telemetry::Telemetry;

/// The service of [`ObserveLayer`](super::ObserveLayer).
///
/// ```
/// use obs_core::telemetry::Telemetry;
/// use obs_tower::observe::{Observe, ObserveLayer};
/// use tower::Layer;
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// let mut service = ObserveLayer::new(telemetry.clone()).layer("inside");
/// assert_eq!(*service.get_ref(), "inside");
/// *service.get_mut() = "another";
/// assert_eq!(service.into_inner(), "another");
/// // The same builder as that of the layer.
/// assert!(Observe::<()>::builder(telemetry).build().is_ok());
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Observe<S> {
    inner: S,
    observer: Arc<Observer>,
}

impl<S> Observe<S> {
    pub(super) fn new(inner: S, observer: Arc<Observer>) -> Self {
        Self { inner, observer }
    }

    /// Starts to describe a layer; the same as
    /// [`ObserveLayer::builder`](super::ObserveLayer::builder).
    pub fn builder(telemetry: Telemetry) -> ObserveLayerBuilder {
        ObserveLayerBuilder::new(telemetry)
    }

    /// The inner service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service, to change it.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Gives the inner service back.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Observe<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ReqBody: 'static,
    ResBody: Body,
    ResBody::Data: 'static,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<ReqBody>) -> Self::Future {
        let (ticket, intake) = self.observer.begin(&RequestHead::of(&request));
        if let Some(intake) = intake {
            request_body::watch(&mut request, intake);
        }
        let called = {
            let _entered = ticket.context().enter();
            catch_unwind(AssertUnwindSafe(|| self.inner.call(request)))
        };
        ResponseFuture::new(called, ticket)
    }
}

impl<S: fmt::Debug> fmt::Debug for Observe<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observe").field("inner", &self.inner).finish_non_exhaustive()
    }
}
