use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;
use obs_core::context::RequestContext;
use shop_domain::id::TenantId;

/// The tenant of the request, as the context knows it; `default` when it names none.
#[derive(Clone, Debug)]
pub struct Tenant(pub TenantId);

impl<S: Send + Sync> FromRequestParts<S> for Tenant {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let tenant = RequestContext::current().and_then(|context| {
            context.tenant_id().and_then(|tenant| TenantId::parse(tenant).ok())
        });
        Ok(Self(tenant.unwrap_or_default()))
    }
}
