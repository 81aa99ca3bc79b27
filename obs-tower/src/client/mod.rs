//! The same record for outgoing calls: a span, the ids sent along, and metrics by peer.
//!
//! ```
//! use std::convert::Infallible;
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use obs_core::telemetry::Telemetry;
//! use obs_tower::client::ClientLayer;
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # runtime.block_on(async {
//! # let telemetry = Telemetry::builder("orders").build()?;
//! // In place of this function: hyper-util's client, or any other over `http`.
//! let transport = service_fn(async |request: Request<()>| {
//!     assert!(request.headers().contains_key("traceparent"));
//!     Ok::<_, Infallible>(Response::new(Full::new(Bytes::new())))
//! });
//! let client = ServiceBuilder::new()
//!     .layer(ClientLayer::builder(telemetry).peer_name("inventory").build())
//!     .service(transport);
//! client.oneshot(Request::get("http://localhost:8103/inventory/7").body(())?).await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The callee gets `traceparent`, `tracestate`, `X-Amzn-Trace-Id` and `x-correlation-id`; one of
//! our own hosts ([`trusted_hosts`](ClientLayerBuilder::trusted_hosts)) also tenant, user, baggage,
//! and the time that is left. Metrics go to the telemetry's recorder, by peer: `ClientRequests`,
//! `ClientErrors`, `ClientFaults`, `ClientLatency`. The call ends with the last byte of its
//! response, an error, or a drop.

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
