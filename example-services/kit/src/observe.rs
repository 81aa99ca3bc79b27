//! The one layer that observes every request, and what it is about.

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
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

/// The members of baggage by which services tell each other what their work is about; each is an
/// annotation of that name on all spans of the work.
const SUBJECTS: [&str; 2] = ["order_id", "user_id"];

/// The layer that observes the requests of a service.
///
/// # Errors
/// When the name of the service cannot be a CloudWatch namespace.
pub fn observe(telemetry: &Telemetry, edge: Edge) -> Result<ObserveLayer, ConfigError> {
    let trust = match edge {
        // Baggage would say what our spans are about.
        Edge::Public => TrustPolicy::edge().tenant_id(true).baggage(false),
        Edge::Internal => TrustPolicy::internal(),
    };
    let layer = ObserveLayer::builder(telemetry.clone()).trust(trust);
    PROBES.into_iter().fold(layer, |layer, probe| layer.skip(probe)).build()
}

/// Says which order the current request, or message, is about, and whose it is: on its line, as
/// annotations on all of its spans, by which X-Ray finds them, and to all services it calls.
pub fn about_order(order: &OrderId, user: Option<&UserId>) {
    RequestContext::with_current(|context| {
        context.record("order_id", order.to_string());
        tell(context, "order_id", order.as_str());
        if let Some(user) = user {
            context.set_user_id(user.as_str());
            tell(context, "user_id", user.as_str());
        }
    });
}

/// Says whose request the current one is, as [`about_order`] does, before there is an order.
pub fn about_user(user: &UserId) {
    RequestContext::with_current(|context| {
        context.set_user_id(user.as_str());
        tell(context, "user_id", user.as_str());
    });
}

fn tell(context: &RequestContext, name: &'static str, value: &str) {
    context.annotate_all(name, value.to_owned());
    // Left out only if others have filled the baggage to its limits.
    context.set_baggage(name, value);
}

/// Takes over what the caller, or the sender, said that `context` is about.
pub(crate) fn take_over(context: &RequestContext) {
    let baggage = context.baggage();
    for name in SUBJECTS {
        if let Some(value) = baggage.get(name) {
            context.annotate_all(name, value.clone().into_owned());
            if name == "user_id" {
                context.set_user_id(&*value);
            } else {
                context.record(name, value.into_owned());
            }
        }
    }
}

/// Puts `layer` around all that `router` serves and refuses.
pub fn observed(router: Router, layer: &ObserveLayer) -> Router {
    let taking_over = async |request: Request, next: Next| -> Response {
        RequestContext::with_current(take_over);
        next.run(request).await
    };
    router.layer(from_fn(taking_over)).layer(layer.clone())
}
