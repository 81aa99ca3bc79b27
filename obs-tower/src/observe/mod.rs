//! One truthful record of every request.

mod body;
mod builder;
mod by_route;
mod capture;
mod config;
mod ending;
mod future;
mod head;
mod hold;
mod in_flight;
mod layer;
mod line;
mod metrics;
mod observer;
mod peer;
mod recording;
mod request_body;
mod respond;
mod route;
mod service;
mod span;
mod ticket;

pub use body::ResponseBody;
pub use builder::ObserveLayerBuilder;
pub use capture::BodyLogging;
pub use config::{MetricsMode, PanicPolicy};
pub use future::ResponseFuture;
pub use head::RequestHead;
pub use in_flight::InFlight;
pub use layer::ObserveLayer;
pub use line::TARGET;
pub use request_body::{RequestBody, RequestBodyLayer, WatchRequestBody};
pub use route::Route;
pub use service::Observe;

pub use crate::exchange::{OTHER_METHOD, UNMATCHED};
