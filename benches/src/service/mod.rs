//! The service that is called, bare and with the suite's layers around it.

mod by_hand;
mod calls;
mod chain;
pub mod telemetry;

use axum::Router;
use axum::extract::Path;
use axum::response::IntoResponse;
use axum::routing::get;
use http::header;

pub use by_hand::by_hand;
pub use calls::{Traces, call, calls};
pub use chain::{TENANT, guard, limiter};

/// A route with a parameter that answers 200 and a small JSON body.
pub fn bare() -> Router {
    Router::new().route("/orders/{id}", get(order))
}

/// The order with this number, which is always pending.
pub async fn order(Path(id): Path<u64>) -> impl IntoResponse {
    let body = format!("{{\"order_id\":{id},\"status\":\"PENDING\"}}");
    ([(header::CONTENT_TYPE, "application/json")], body)
}
