use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use super::body::ResponseBody;
use super::call::Caller;
use super::future::ResponseFuture;

/// The service of [`ClientLayer`](super::ClientLayer).
///
/// ```
/// use obs_core::telemetry::Telemetry;
/// use obs_tower::client::ClientLayer;
/// use tower::Layer;
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// let mut client = ClientLayer::new(telemetry).layer("the client inside");
/// assert_eq!(*client.get_ref(), "the client inside");
/// *client.get_mut() = "another";
/// assert_eq!(client.into_inner(), "another");
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Client<S> {
    inner: S,
    caller: Arc<Caller>,
}

impl<S> Client<S> {
    pub(super) fn new(inner: S, caller: Arc<Caller>) -> Self {
        Self { inner, caller }
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

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for Client<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body,
{
    type Response = Response<ResponseBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        let call = Caller::begin(&self.caller, &mut parts);
        let future = {
            let _entered = call.enter();
            self.inner.call(Request::from_parts(parts, body))
        };
        ResponseFuture::new(future, call)
    }
}

impl<S: fmt::Debug> fmt::Debug for Client<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("inner", &self.inner).finish_non_exhaustive()
    }
}
