use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use obs_core::config::ConfigError;
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep};
use tower_layer::Layer;
use tower_service::Service;

/// Limits how long a response body may stall, and how long it may take in all.
///
/// Either limit ends the body with a [`BodyTimeoutError`], which makes a server cut the connection:
/// the headers have been sent, so there is no better answer.
///
/// ```
/// use std::time::Duration;
/// use obs_tower::timeout::BodyTimeoutLayer;
///
/// let layer = BodyTimeoutLayer::new(Some(Duration::from_secs(30)), Some(Duration::from_secs(600)))?;
/// # Ok::<_, obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct BodyTimeoutLayer {
    limits: Limits,
}

#[derive(Clone, Copy, Debug)]
struct Limits {
    idle: Option<Duration>,
    total: Option<Duration>,
}

impl BodyTimeoutLayer {
    /// `idle` is the longest wait for a frame, `total` the longest time from headers to end.
    ///
    /// # Errors
    /// [`ConfigError`] when a limit is zero.
    pub fn new(idle: Option<Duration>, total: Option<Duration>) -> Result<Self, ConfigError> {
        for (field, limit) in [("idle", idle), ("total", total)] {
            if limit.is_some_and(|limit| limit.is_zero()) {
                return Err(ConfigError::new(field, "0s", "must be above zero"));
            }
        }
        Ok(Self { limits: Limits { idle, total } })
    }
}

impl<S> Layer<S> for BodyTimeoutLayer {
    type Service = BodyTimeoutService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        BodyTimeoutService { inner, limits: self.limits }
    }
}

/// A service whose response bodies have time limits; made by [`BodyTimeoutLayer`].
///
/// ```
/// use std::time::Duration;
///
/// use obs_tower::timeout::BodyTimeoutLayer;
/// use tower::{Layer, service_fn};
///
/// let layer = BodyTimeoutLayer::new(Some(Duration::from_secs(10)), None)?;
/// let service = layer.layer(service_fn(|_: http::Request<()>| async {
///     Ok::<_, std::convert::Infallible>(http::Response::new(String::from("[7]")))
/// }));
/// # let _ = service;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct BodyTimeoutService<S> {
    inner: S,
    limits: Limits,
}

impl<S, Req, B> Service<Request<Req>> for BodyTimeoutService<S>
where
    S: Service<Request<Req>, Response = Response<B>>,
{
    type Response = Response<TimeoutBody<B>>;
    type Error = S::Error;
    type Future = BodyTimeoutFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Req>) -> Self::Future {
        BodyTimeoutFuture { inner: self.inner.call(request), limits: self.limits }
    }
}

pin_project! {
    /// The answer of a [`BodyTimeoutService`].
    #[derive(Debug)]
    pub struct BodyTimeoutFuture<F> {
        #[pin]
        inner: F,
        limits: Limits,
    }
}

impl<F, B, E> Future for BodyTimeoutFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
{
    type Output = Result<Response<TimeoutBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(context));
        Poll::Ready(response.map(|response| {
            response.map(|inner| TimeoutBody {
                inner,
                limits: *this.limits,
                started: None,
                last: None,
                sleep: None,
            })
        }))
    }
}

pin_project! {
    /// A body with time limits; no timer is armed while frames are ready.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use http::{Request, Response};
    /// use http_body_util::BodyExt;
    /// use obs_tower::timeout::BodyTimeoutLayer;
    /// use tower::{Layer, ServiceExt, service_fn};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let layer = BodyTimeoutLayer::new(Some(Duration::from_secs(10)), Some(Duration::from_secs(60)))?;
    /// let service = layer.layer(service_fn(|_: Request<()>| async {
    ///     Ok::<_, std::convert::Infallible>(Response::new(String::from("[7]")))
    /// }));
    /// let response = service.oneshot(Request::new(())).await?;
    /// assert_eq!(response.into_body().collect().await?.to_bytes(), "[7]");
    /// # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
    /// ```
    #[derive(Debug)]
    pub struct TimeoutBody<B> {
        #[pin]
        inner: B,
        limits: Limits,
        // Since the body was first asked for a frame.
        started: Option<Instant>,
        // Since it was last asked for one that it did not have; `None` while it delivers.
        last: Option<Instant>,
        #[pin]
        sleep: Option<Sleep>,
    }
}

impl<B: Body> Body for TimeoutBody<B> {
    type Data = B::Data;
    type Error = BodyTimeoutError<B::Error>;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        let mut this = self.project();
        if this.started.is_none() && this.limits.total.is_some() {
            *this.started = Some(Instant::now());
        }
        if let Poll::Ready(frame) = this.inner.poll_frame(context) {
            *this.last = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(BodyTimeoutError::Inner)));
        }
        let waits_anew = this.last.is_none();
        let last = *this.last.get_or_insert_with(Instant::now);
        let idle = this.limits.idle.map(|limit| (last + limit, true));
        let total = this.started.zip(this.limits.total).map(|(at, limit)| (at + limit, false));
        let Some((until, is_idle)) = idle.into_iter().chain(total).min() else {
            return Poll::Pending;
        };
        if this.sleep.is_none() {
            this.sleep.set(Some(tokio::time::sleep_until(until)));
        } else if waits_anew && let Some(sleep) = this.sleep.as_mut().as_pin_mut() {
            sleep.reset(until);
        }
        if let Some(sleep) = this.sleep.as_pin_mut() {
            ready!(sleep.poll(context));
        }
        let error = if is_idle { BodyTimeoutError::Idle } else { BodyTimeoutError::Total };
        Poll::Ready(Some(Err(error)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Why a body with time limits ended early.
///
/// ```
/// use std::io;
///
/// use obs_tower::timeout::BodyTimeoutError;
///
/// fn is_ours(error: &BodyTimeoutError<io::Error>) -> bool {
///     matches!(error, BodyTimeoutError::Idle | BodyTimeoutError::Total)
/// }
/// assert!(is_ours(&BodyTimeoutError::Idle));
/// assert!(!is_ours(&BodyTimeoutError::Inner(io::Error::other("reset"))));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyTimeoutError<E> {
    /// The body itself failed.
    Inner(E),
    /// No frame came for the idle limit.
    Idle,
    /// The body took longer than it may in all.
    Total,
}

impl<E: fmt::Display> fmt::Display for BodyTimeoutError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inner(error) => error.fmt(f),
            Self::Idle => f.write_str("the body stalled"),
            Self::Total => f.write_str("the body took too long"),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for BodyTimeoutError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Inner(error) => error.source(),
            Self::Idle | Self::Total => None,
        }
    }
}
