use std::fmt;
use std::sync::Arc;

use obs_core::telemetry::Telemetry;
use tower_layer::Layer;

use super::builder::ObserveLayerBuilder;
use super::in_flight::InFlight;
use super::observer::Observer;
use super::service::Observe;

/// Leaves one record of every request: a line, metrics and a span that agree.
///
/// Cheap to clone; clones, and the services made with them, share their state.
///
/// ```
/// use bytes::Bytes;
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use obs_core::output::Output;
/// use obs_core::telemetry::Telemetry;
/// use obs_tower::observe::ObserveLayer;
/// use tower::{Layer, ServiceExt, service_fn};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let (output, lines) = Output::captured();
/// let telemetry = Telemetry::builder("orders").output(output).build()?;
/// let layer = ObserveLayer::new(telemetry.clone());
/// let service = layer.layer(service_fn(|_: Request<()>| async {
///     Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::default()))
/// }));
/// drop(service.oneshot(Request::new(())).await?);
///
/// layer.shutdown();
/// telemetry.shutdown(std::time::Duration::from_secs(5));
/// assert!(lines.text().contains(r#""message":"request completed""#));
/// # Ok::<_, Box<dyn std::error::Error>>(()) })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ObserveLayer(Arc<Observer>);

impl ObserveLayer {
    /// A layer with the defaults.
    ///
    /// Where [`build`](ObserveLayerBuilder::build) would refuse what the environment says, or the
    /// service's name as a CloudWatch namespace, this writes a line that says so and goes without.
    #[must_use]
    pub fn new(telemetry: Telemetry) -> Self {
        Self(Arc::new(Observer::with_defaults(telemetry)))
    }

    /// Starts to describe a layer.
    pub fn builder(telemetry: Telemetry) -> ObserveLayerBuilder {
        ObserveLayerBuilder::new(telemetry)
    }

    pub(super) fn from_observer(observer: Observer) -> Self {
        Self(Arc::new(observer))
    }

    /// The requests that are being served.
    ///
    /// ```
    /// use obs_core::telemetry::Telemetry;
    /// use obs_tower::observe::ObserveLayer;
    ///
    /// let layer = ObserveLayer::new(Telemetry::builder("orders").build()?);
    /// assert_eq!(layer.in_flight().count(), 0);
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub fn in_flight(&self) -> &InFlight {
        self.0.in_flight()
    }

    /// Ends the records of all requests that are still being served, as `shutdown`.
    ///
    /// For a service that gives up waiting for them: call it before
    /// [`Telemetry::shutdown`]. The requests themselves are left alone. From now on a request that
    /// is dropped counts as cut short by the service, not by its client.
    pub fn shutdown(&self) {
        self.0.stop();
    }
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, inner: S) -> Observe<S> {
        Observe::new(inner, Arc::clone(&self.0))
    }
}

impl fmt::Debug for ObserveLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObserveLayer")
            .field("telemetry", self.0.telemetry())
            .field("config", self.0.config())
            .finish_non_exhaustive()
    }
}
