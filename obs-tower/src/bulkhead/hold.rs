use bytes::Buf;
use http::Response;
use http_body::{Body, Frame};
use obs_core::body::{Watched, Watcher};

use super::BulkheadPermit;

/// How long the room of a call is held.
///
/// ```
/// use obs_tower::bulkhead::{BulkheadPermit, Hold};
///
/// /// Holds room until the value that was answered is dropped.
/// struct WithValue;
///
/// impl<T> Hold<T> for WithValue {
///     type Response = (T, Option<BulkheadPermit>);
///
///     fn hold(&self, response: T, permit: Option<BulkheadPermit>) -> Self::Response {
///         (response, permit)
///     }
/// }
/// assert_eq!(WithValue.hold(7, None).0, 7);
/// ```
pub trait Hold<Res> {
    /// The response that carries the permit, or not.
    type Response;

    /// Takes the permit when the inner service has answered.
    fn hold(&self, response: Res, permit: Option<BulkheadPermit>) -> Self::Response;
}

/// Until the inner service has answered: with the headers of a response.
///
/// ```
/// use obs_tower::bulkhead::{Hold, UntilHeaders};
///
/// assert_eq!(UntilHeaders.hold("the response", None), "the response");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct UntilHeaders;

impl<Res> Hold<Res> for UntilHeaders {
    type Response = Res;

    #[inline]
    fn hold(&self, response: Res, _: Option<BulkheadPermit>) -> Res {
        response
    }
}

/// Until the body of the response has ended or was dropped.
///
/// ```
/// use bytes::Bytes;
/// use http::Response;
/// use http_body_util::Full;
/// use obs_tower::bulkhead::{Bulkhead, Hold, Place, UntilEndOfBody};
///
/// let bulkhead = Bulkhead::builder("reports").build()?;
/// let permit = bulkhead.try_acquire(Place::default()).ok();
/// let response = Response::new(Full::new(Bytes::from_static(b"a report")));
/// let response = UntilEndOfBody.hold(response, permit);
/// assert_eq!(bulkhead.in_flight(), 1);
/// drop(response);
/// assert_eq!(bulkhead.in_flight(), 0);
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct UntilEndOfBody;

impl<B: Body> Hold<Response<B>> for UntilEndOfBody {
    type Response = Response<PermitBody<B>>;

    fn hold(&self, response: Response<B>, permit: Option<BulkheadPermit>) -> Self::Response {
        response.map(|inner| {
            let permit = permit.filter(|_| !inner.is_end_stream());
            PermitBody::new(inner, permit)
        })
    }
}

/// A body that holds room in a bulkhead until it ends.
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::{BodyExt, Full};
/// use obs_tower::bulkhead::{Bulkhead, BulkheadLayer};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let bulkhead = Bulkhead::builder("reports").build()?;
/// let layer = BulkheadLayer::new(bulkhead.clone()).hold_to_end_of_body();
/// let service = layer.layer(service_fn(|_: Request<()>| async {
///     Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from_static(b"a report"))))
/// }));
/// let response = service.oneshot(Request::new(())).await?;
/// assert_eq!(bulkhead.in_flight(), 1);
/// response.into_body().collect().await?;
/// assert_eq!(bulkhead.in_flight(), 0);
/// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub type PermitBody<B> = Watched<B, BulkheadPermit>;

impl Watcher for BulkheadPermit {
    fn frame<D: Buf>(&mut self, _: &Frame<D>, is_last: bool) -> bool {
        is_last
    }

    /// The room is given back by the drop.
    fn end(self, _: Option<&'static str>) {}
}
