//! For axum: extractors, and rejections as problem details.
//!
//! ```
//! use axum::{Router, routing::post};
//! use obs_core::telemetry::Telemetry;
//! use obs_tower::axum::{Json, Record, method_not_allowed, not_found};
//! use obs_tower::observe::ObserveLayer;
//!
//! async fn place(record: Record, Json(order): Json<serde_json::Value>) -> String {
//!     record.record("items", order["items"].as_u64());
//!     "placed".to_owned()
//! }
//!
//! fn app(telemetry: Telemetry) -> Router {
//!     Router::new()
//!         .route("/orders", post(place))
//!         .fallback(not_found)
//!         .method_not_allowed_fallback(method_not_allowed)
//!         // Outermost, so that it sees what every other layer answers.
//!         .layer(ObserveLayer::new(telemetry))
//! }
//! ```
//!
//! Every rejection is an [RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) body with the
//! request's correlation id:
//!
//! | what is wrong | status |
//! |---|---|
//! | body that is no JSON | 400 |
//! | path or query of the wrong type | 400 |
//! | no such route | 404 |
//! | no such method | 405, with `Allow` |
//! | body larger than axum's limit | 413 |
//! | no `content-type: application/json` | 415 |
//! | JSON of the wrong type | 422 |

mod extract;
mod problem;

pub use extract::{Json, Path, Query, Record};
pub use problem::{ProblemResponse, method_not_allowed, not_found};
