//! The request's body on its way in: counted where no header says its length, and logged if asked.

use std::any::Any;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Buf;
use http::{Method, Request, Version};
use http_body::Frame;
use obs_core::body::{Watched, Watcher};
use tower_layer::Layer;
use tower_service::Service;

use super::capture::Capture;
use super::head::RequestHead;
use crate::exchange::StandardHeaders;

/// What is known of a request's body; shared by the record and whoever reads the body.
#[derive(Debug, Default)]
pub(super) struct Intake {
    /// Whether the body passes by here: there may be no layer that lets it.
    watched: AtomicBool,
    bytes: AtomicU64,
    capture: Mutex<Option<Capture>>,
}

impl Intake {
    /// An intake, if the body must be watched: to log it, or because no header says its length.
    pub(super) fn new(
        head: &RequestHead<'_>,
        headers: &StandardHeaders<'_>,
        capture: Option<Capture>,
    ) -> Option<Arc<Self>> {
        let watched = capture.is_some() || is_of_unknown_length(head, headers);
        watched.then(|| Arc::new(Self { capture: Mutex::new(capture), ..Self::default() }))
    }

    fn take(&self, data: &impl Buf) {
        // Relaxed: the record reads it when the request has ended.
        self.bytes.fetch_add(data.remaining() as u64, Ordering::Relaxed);
        let mut capture = self.capture.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(capture) = capture.as_mut() {
            capture.push(data);
        }
    }

    /// The bytes that were read; `None` if nobody could see them.
    pub(super) fn bytes(&self) -> Option<u64> {
        self.watched.load(Ordering::Relaxed).then(|| self.bytes.load(Ordering::Relaxed))
    }

    /// The text to log.
    pub(super) fn text(&self) -> Option<String> {
        let capture = self.capture.lock().unwrap_or_else(PoisonError::into_inner);
        capture.as_ref().and_then(Capture::text)
    }
}

fn is_of_unknown_length(head: &RequestHead<'_>, headers: &StandardHeaders<'_>) -> bool {
    let may_have_one = || matches!(*head.method, Method::POST | Method::PUT | Method::PATCH);
    !headers.has_content_length()
        && (headers.has_transfer_encoding || head.version >= Version::HTTP_2 && may_have_one())
}

/// Has the body of `request` watched: at once if it is axum's, else by a [`RequestBodyLayer`].
pub(super) fn watch<B: 'static>(request: &mut Request<B>, intake: Arc<Intake>) {
    if let Err(intake) = watch_now(request.body_mut(), intake) {
        request.extensions_mut().insert(Handover(intake));
    }
}

#[cfg(feature = "axum")]
fn watch_now(body: &mut dyn Any, intake: Arc<Intake>) -> Result<(), Arc<Intake>> {
    let Some(body) = body.downcast_mut::<axum::body::Body>() else { return Err(intake) };
    let inner = std::mem::take(body);
    *body = axum::body::Body::new(RequestBody::new(inner, BodyCount::new(intake)));
    Ok(())
}

#[cfg(not(feature = "axum"))]
fn watch_now(_: &mut dyn Any, intake: Arc<Intake>) -> Result<(), Arc<Intake>> {
    Err(intake)
}

#[derive(Clone, Debug)]
struct Handover(Arc<Intake>);

/// Lets the observing layer see request bodies that are not axum's.
///
/// Put it inside of [`ObserveLayer`](super::ObserveLayer); it changes the type of the body, which
/// is why that layer does not do so by itself. Without it, request bodies of other types are not
/// logged, and their size is known from `content-length` only.
///
/// ```
/// use obs_core::telemetry::Telemetry;
/// use obs_tower::observe::{BodyLogging, ObserveLayer, RequestBodyLayer};
/// use tower::ServiceBuilder;
///
/// let observe = ObserveLayer::builder(Telemetry::builder("orders").build()?)
///     .log_request_body(BodyLogging::default())
///     .build()?;
/// let stack = ServiceBuilder::new().layer(observe).layer(RequestBodyLayer);
/// # let _ = stack;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct RequestBodyLayer;

impl<S> Layer<S> for RequestBodyLayer {
    type Service = WatchRequestBody<S>;

    fn layer(&self, inner: S) -> WatchRequestBody<S> {
        WatchRequestBody { inner }
    }
}

/// The service of [`RequestBodyLayer`].
///
/// ```
/// use http::{Request, Response};
/// use http_body_util::{BodyExt, Full};
/// use obs_tower::observe::{RequestBody, RequestBodyLayer};
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// // What is inside sees a body of another type with the same content.
/// let service = RequestBodyLayer.layer(service_fn(
///     |request: Request<RequestBody<Full<bytes::Bytes>>>| async {
///         let body = request.into_body().collect().await?.to_bytes();
///         Ok::<_, std::convert::Infallible>(Response::new(body))
///     },
/// ));
/// let response = service.oneshot(Request::new(Full::from("hello"))).await?;
/// assert_eq!(response.into_body(), "hello");
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct WatchRequestBody<S> {
    inner: S,
}

impl<S, B> Service<Request<B>> for WatchRequestBody<S>
where
    S: Service<Request<RequestBody<B>>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        let intake = request.extensions_mut().remove::<Handover>().map(|Handover(intake)| intake);
        self.inner.call(request.map(|inner| RequestBody::new(inner, intake.map(BodyCount::new))))
    }
}

/// The request body of [`RequestBodyLayer`]: the inner body, counted as it is read.
pub type RequestBody<B> = Watched<B, BodyCount>;

/// Counts a request's body for the record of the request.
///
/// ```
/// use obs_tower::observe::{BodyCount, RequestBody};
///
/// /// A handler of bodies that were counted on their way in.
/// fn takes<B>(_body: RequestBody<B>)
/// where
///     RequestBody<B>: http_body::Body,
/// {
/// }
/// # let _ = (takes::<http_body_util::Full<bytes::Bytes>>, std::mem::size_of::<BodyCount>());
/// ```
#[derive(Debug)]
pub struct BodyCount(Arc<Intake>);

impl BodyCount {
    fn new(intake: Arc<Intake>) -> Self {
        intake.watched.store(true, Ordering::Relaxed);
        Self(intake)
    }
}

impl Watcher for BodyCount {
    fn frame<D: Buf>(&mut self, frame: &Frame<D>, _: bool) -> bool {
        if let Some(data) = frame.data_ref() {
            self.0.take(data);
        }
        // The record is the request's and waits for the response.
        false
    }

    fn end(self, _: Option<&'static str>) {}
}
