//! Extractors whose refusals are problem documents.

mod body;
mod json;
mod path;
mod query;
mod tenant;

pub use body::{Body, MAX_BODY_BYTES};
pub use json::Json;
pub use path::Path;
pub use query::Query;
pub use tenant::Tenant;
