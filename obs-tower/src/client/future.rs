use std::any::type_name;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http::Response;
use http_body::Body;
use pin_project_lite::pin_project;

use super::body::{CallInBody, ResponseBody};
use super::call::Call;
use crate::exchange::{End, Progress};

pin_project! {
    /// The response future of [`Client`](super::Client).
    ///
    /// Dropping it before it is ready records that the call was given up.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use http::{Request, Response};
    /// use http_body_util::Full;
    /// use obs_core::telemetry::Telemetry;
    /// use obs_tower::client::ClientLayer;
    /// use tower::{Layer, Service, service_fn};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
    /// let telemetry = Telemetry::builder("orders").build()?;
    /// let mut client = ClientLayer::new(telemetry).layer(service_fn(|_: Request<Full<Bytes>>| async {
    ///     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
    /// }));
    /// // A call that is dropped before it is answered is a call that was cancelled.
    /// let future = client.call(Request::new(Full::default()));
    /// assert_eq!(future.await?.status(), 200);
    /// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub struct ResponseFuture<F> {
        #[pin]
        inner: F,
        call: Option<Call>,
    }
}

impl<F> ResponseFuture<F> {
    pub(super) fn new(inner: F, call: Call) -> Self {
        Self { inner, call: Some(call) }
    }
}

impl<F, B, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<ResponseBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let result = {
            let _entered = this.call.as_ref().map(Call::enter);
            ready!(this.inner.poll(context))
        };
        Poll::Ready(match (result, this.call.take()) {
            (Ok(response), Some(call)) => Ok(observed(call, response)),
            (Ok(response), None) => Ok(response.map(|body| ResponseBody::new(body, None))),
            (Err(error), call) => {
                if let Some(call) = call {
                    call.finish(End::ServiceError(type_name::<E>()));
                }
                Err(error)
            }
        })
    }
}

fn observed<B: Body>(mut call: Call, response: Response<B>) -> Response<ResponseBody<B>> {
    let (parts, body) = response.into_parts();
    let progress = Progress::new(&parts.headers);
    call.answered(&parts);
    let end = progress
        .end_at_headers(call.method(), parts.status, &parts.headers)
        .or_else(|| body.is_end_stream().then(|| progress.end_of_stream()));
    let body = match end {
        Some(end) => {
            call.finish(end);
            ResponseBody::new(body, None)
        }
        None => ResponseBody::new(body, CallInBody::new(call, progress)),
    };
    Response::from_parts(parts, body)
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
