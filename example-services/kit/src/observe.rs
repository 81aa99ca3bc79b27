//! The one layer that observes every request.

use axum::Router;
use obs_core::config::ConfigError;
use obs_core::context::RequestContext;
use obs_core::propagate::TrustPolicy;
use obs_core::telemetry::Telemetry;
use obs_tower::observe::ObserveLayer;
use shop_domain::id::{OrderId, UserId};

/// Who calls a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Anyone: of what callers say about themselves only the tenant is believed.
    Public,
    /// Our own services, whose headers are believed.
    Internal,
}

/// What orchestrators ask again and again. An answer that all is well counts, but needs no line.
const PROBES: [&str; 7] =
    ["/health", "/ready", "/live", "/health/ready", "/health/live", "/healthz", "/readyz"];

/// The layer that observes the requests of a service.
///
/// # Errors
/// When the name of the service cannot be a CloudWatch namespace.
pub fn observe(telemetry: &Telemetry, edge: Edge) -> Result<ObserveLayer, ConfigError> {
    let trust = match edge {
        Edge::Public => TrustPolicy::edge().tenant_id(true),
        Edge::Internal => TrustPolicy::internal(),
    };
    let layer = ObserveLayer::builder(telemetry.clone()).trust(trust);
    PROBES.into_iter().fold(layer, |layer, probe| layer.skip(probe)).build()
}

/// Says which order the current request, or message, is about, and whose it is: as annotations,
/// by which X-Ray finds its spans, and on its line.
pub fn about_order(order: &OrderId, user: Option<&UserId>) {
    RequestContext::with_current(|context| {
        context.annotate("order_id", order.to_string());
        context.record("order_id", order.to_string());
        if let Some(user) = user {
            context.set_user_id(user.as_str());
            context.annotate("user_id", user.to_string());
        }
    });
}

/// Puts `layer` around all that `router` serves and refuses.
pub fn observed(router: Router, layer: &ObserveLayer) -> Router {
    router.layer(layer.clone())
}
