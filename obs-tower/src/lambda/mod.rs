//! One record of every Lambda invocation, flushed before the freeze.
//!
//! ```no_run
//! use lambda_runtime::{LambdaEvent, service_fn};
//! use obs_core::telemetry::Telemetry;
//! use obs_tower::lambda::LambdaLayer;
//! use serde_json::Value;
//! use tower::Layer;
//!
//! async fn handle(event: LambdaEvent<Value>) -> Result<Value, lambda_runtime::Error> {
//!     Ok(event.payload)
//! }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), lambda_runtime::Error> {
//!     let telemetry = Telemetry::builder("resize").build()?;
//!     lambda_runtime::run(LambdaLayer::new(&telemetry)?.layer(service_fn(handle))).await
//! }
//! ```
//!
//! The line's message is `invocation completed`; its fields are `function_request_id`,
//! `function_arn`, `cold_start`, `remaining_ms` at the beginning, `outcome`, `duration_ms` and
//! `error_kind`. Its metrics are `Invocations`, `InvocationFaults`, `InvocationLatency` and
//! `ColdStarts`. The invocation continues the trace that Lambda hands over, its deadline is that of
//! the function, and an invocation that is answered is flushed first: what the environment would
//! freeze with it is written before the answer.
//!
//! An HTTP function on `lambda_http` leaves the record of its request instead; see
//! [`LambdaHttpLayer`].

mod flush;
mod flushing;
mod http;
mod invocation;
mod layer;

pub use flushing::{FlushAtEnd, Flushing, FlushingBody, FlushingFuture};
pub use http::{LambdaHttp, LambdaHttpFuture, LambdaHttpLayer};
pub use layer::{
    COLD_STARTS, INVOCATION_FAULTS, INVOCATION_LATENCY, INVOCATIONS, Lambda, LambdaFuture,
    LambdaLayer, TARGET,
};
