//! The same record for outgoing calls: a span, the ids sent along, and metrics by peer.

mod body;
mod call;
mod future;
mod layer;
mod logical;
mod metrics;
mod service;

pub use body::ResponseBody;
pub use call::TARGET;
pub use future::ResponseFuture;
pub use layer::{ClientLayer, ClientLayerBuilder};
pub use logical::{LogicalCall, LogicalCallFuture, LogicalCallLayer};
pub use metrics::{CLIENT_ERRORS, CLIENT_FAULTS, CLIENT_LATENCY, CLIENT_REQUESTS};
pub use service::Client;

pub use crate::exchange::Attempt;
