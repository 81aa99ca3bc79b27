use axum::Router;
use axum::routing::any_service;

use super::path::FIXED;
use super::service::HealthService;
use crate::registry::HealthRegistry;

impl HealthRegistry {
    /// The endpoints for a public listener as an axum router, to be merged into the service's own.
    ///
    /// ```
    /// use axum::Router;
    /// use obs_health::HealthRegistry;
    ///
    /// let health = HealthRegistry::builder("orders").build()?;
    /// let app: Router = Router::new().merge(health.router());
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        routes(HealthService::new(self.clone()))
    }

    /// The endpoints for a listener that only operators reach.
    ///
    /// ```
    /// use axum::Router;
    /// use obs_health::HealthRegistry;
    ///
    /// // On a port of its own, which only operators reach.
    /// let health = HealthRegistry::builder("orders").build()?;
    /// let management: Router = Router::new().merge(health.management_router());
    /// # let _ = management;
    /// # Ok::<(), obs_core::config::ConfigError>(())
    /// ```
    pub fn management_router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        routes(HealthService::management(self.clone()))
    }
}

fn routes<S: Clone + Send + Sync + 'static>(service: HealthService) -> Router<S> {
    let fixed = FIXED
        .iter()
        .fold(Router::new(), |router, (path, _)| router.route(path, any_service(service.clone())));
    fixed
        .route("/health/circuits/{*name}", any_service(service.clone()))
        .route("/health/controls/{kind}/{*name}", any_service(service))
}
