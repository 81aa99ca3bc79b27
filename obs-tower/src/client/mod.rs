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
//! # With hyper-util and with reqwest
//! The client of hyper-util is a service over `http` as it is; reqwest's becomes one in a line:
//!
//! ```no_run
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use http_body_util::Full;
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use obs_core::telemetry::Telemetry;
//! use obs_tower::client::ClientLayer;
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # async fn example(telemetry: Telemetry) -> Result<(), Box<dyn std::error::Error>> {
//! let layer = ClientLayer::builder(telemetry).peer_name("inventory").build();
//!
//! let hyper = layer.layer(Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>());
//! let request = Request::get("http://inventory:8103/7").body(Full::default())?;
//! let response = hyper.oneshot(request).await?;
//!
//! let reqwest = reqwest::Client::new();
//! let reqwest = layer.layer(service_fn(move |request: Request<reqwest::Body>| {
//!     let client = reqwest.clone();
//!     async move { client.execute(request.try_into()?).await.map(Response::from) }
//! }));
//! let request = Request::get("http://inventory:8103/7").body(reqwest::Body::default())?;
//! let response = reqwest.oneshot(request).await?;
//! # Ok(()) }
//! ```
//!
//! # What it tells and what it leaves
//! The callee gets `traceparent`, `tracestate`, `X-Amzn-Trace-Id` and `x-correlation-id`; one of
//! our own hosts ([`trusted_hosts`](ClientLayerBuilder::trusted_hosts)) also tenant, user, baggage,
//! and the time that is left: until the [inherited](crate::deadline::inherited) deadline.
//!
//! Metrics go to the telemetry's recorder, by peer: `ClientRequests`, `ClientErrors`,
//! `ClientFaults`, `ClientLatency`. The call ends with the last byte of its response, an error, or
//! a drop; one that is dropped after its deadline has exceeded it.

mod body;
mod call;
mod future;
mod layer;
mod logical;
mod metrics;
mod service;

pub use body::{CallInBody, ResponseBody};
pub use call::TARGET;
pub use future::ResponseFuture;
pub use layer::{ClientLayer, ClientLayerBuilder};
pub use logical::{LogicalCall, LogicalCallFuture, LogicalCallLayer};
pub use metrics::{CLIENT_ERRORS, CLIENT_FAULTS, CLIENT_LATENCY, CLIENT_REQUESTS};
pub use service::Client;

pub use crate::exchange::Attempt;
