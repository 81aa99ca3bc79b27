//! Retries, which are for calls that go out, on a router.

use axum::Router;
use axum::routing::get;
use obs_tower::retry::{Retry, RetryLayer};

fn main() -> Result<(), obs_core::config::ConfigError> {
    let retry = Retry::builder("orders").build()?;
    let app: Router =
        Router::new().route("/orders", get(async || "[]")).layer(RetryLayer::new(retry));
    drop(app);
    Ok(())
}
