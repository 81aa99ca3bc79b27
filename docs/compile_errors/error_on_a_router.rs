//! Refusals are errors, as for a client, on a router, whose services never fail.
//~ `AsError` needs an error that is made `From<Rejected>`

use axum::Router;
use axum::routing::get;
use obs_tower::reject::AsError;
use obs_tower::timeout::{TimeLimiter, TimeoutLayer};

fn main() -> Result<(), obs_core::config::ConfigError> {
    let limiter = TimeLimiter::builder("orders").build()?;
    let app: Router = Router::new()
        .route("/orders", get(async || "[]"))
        .layer(TimeoutLayer::new(limiter).reject_with(AsError));
    drop(app);
    Ok(())
}
