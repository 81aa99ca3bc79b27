use std::fmt;
use std::sync::Arc;

use obs_core::propagate::TrustedHosts;
use obs_core::telemetry::Telemetry;
use tower_layer::Layer;
use tracing::Level;

use super::call::Caller;
use super::metrics::Metrics;
use super::service::Client;

/// Observes outgoing calls: a client span, propagation, metrics by peer, and a line if asked for.
///
/// Cheap to clone; clones, and the services made with them, share their state. Within a request
/// the call is a child of the span that is current; outside of one it starts a trace.
///
/// ```
/// use obs_core::telemetry::Telemetry;
/// use obs_tower::client::ClientLayer;
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// let layer = ClientLayer::new(telemetry);
/// # let _ = layer;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct ClientLayer(Arc<Caller>);

impl ClientLayer {
    /// A layer with the defaults.
    #[must_use]
    pub fn new(telemetry: Telemetry) -> Self {
        Self::builder(telemetry).build()
    }

    /// Starts to describe a layer.
    pub fn builder(telemetry: Telemetry) -> ClientLayerBuilder {
        ClientLayerBuilder {
            telemetry,
            peer_name: None,
            trusted_hosts: TrustedHosts::default(),
            level: Level::DEBUG,
            tracing: true,
            metrics: true,
        }
    }
}

impl<S> Layer<S> for ClientLayer {
    type Service = Client<S>;

    fn layer(&self, inner: S) -> Client<S> {
        Client::new(inner, Arc::clone(&self.0))
    }
}

impl fmt::Debug for ClientLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientLayer").field(&self.0).finish()
    }
}

/// Describes a [`ClientLayer`].
///
/// ```
/// use obs_core::propagate::TrustedHosts;
/// use obs_core::telemetry::Telemetry;
/// use obs_tower::client::ClientLayer;
///
/// let telemetry = Telemetry::builder("orders").build()?;
/// let layer = ClientLayer::builder(telemetry)
///     .peer_name("inventory")
///     // Whom tenant, user and deadline are told.
///     .trusted_hosts(TrustedHosts::loopback().and("*.shop.internal"))
///     .line_level(tracing::Level::DEBUG)
///     .tracing(true)
///     .metrics(true)
///     .build();
/// # let _ = layer;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing exists until it is built"]
pub struct ClientLayerBuilder {
    telemetry: Telemetry,
    peer_name: Option<Arc<str>>,
    trusted_hosts: TrustedHosts,
    level: Level,
    tracing: bool,
    metrics: bool,
}

impl ClientLayerBuilder {
    /// Names the service that is called, for the metrics and the span. Default: the host, of which
    /// at most 100 are told apart.
    pub fn peer_name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.peer_name = Some(name.into());
        self
    }

    /// Which hosts are told tenant, user, time left and baggage. Default
    /// [`TrustedHosts::loopback`].
    pub fn trusted_hosts(mut self, hosts: TrustedHosts) -> Self {
        self.trusted_hosts = hosts;
        self
    }

    /// The level of the line of each call. Default `DEBUG`, which the default filter leaves out.
    pub const fn line_level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// Whether client spans are built. Default `true`; the ids are sent along in any case.
    pub const fn tracing(mut self, on: bool) -> Self {
        self.tracing = on;
        self
    }

    /// Whether calls are measured. Default `true`.
    pub const fn metrics(mut self, on: bool) -> Self {
        self.metrics = on;
        self
    }

    /// Builds the layer.
    #[must_use]
    pub fn build(self) -> ClientLayer {
        ClientLayer(Arc::new(Caller {
            telemetry: self.telemetry,
            peer_name: self.peer_name,
            trusted_hosts: self.trusted_hosts,
            level: self.level,
            tracing: self.tracing,
            metrics: self.metrics.then(Metrics::default),
        }))
    }
}
