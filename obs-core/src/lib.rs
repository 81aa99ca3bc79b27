#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
//! # Modules
//!
//! | module | what it holds |
//! |---|---|
//! | [`telemetry`] | the value everything hangs on: builder, init, flush, shutdown, self-report |
//! | [`context`] | the current request, carried through futures, threads and tasks |
//! | [`id`] | trace, span and correlation ids, and their generator |
//! | [`propagate`] | headers and messages in and out: W3C, X-Ray, baggage; what is trusted |
//! | [`log`] | the line: encoder, redaction, flight recorder |
//! | [`output`] | the bounded queue, its writer and its ledger |
//! | [`span`], [`trace`] | child and client spans; samplers and exporters |
//! | [`subscriber`] | the `tracing` layer behind `tracing::info!` |
//! | [`resource`] | what is known of the machine: ECS, EKS, EC2, Lambda |
//! | [`circuit`] | the state machine of a circuit breaker |
//! | [`metric`], [`admit`], [`control`] | the traits through which the crates meet |
//! | [`clock`], [`random`], [`environment`] | time, chance and environment, as arguments |
//! | [`body`] | a body that is watched to its end |
//! | [`shard`] | counts that threads do not contend for |
//! | [`deadline`], [`outcome`], [`problem`], [`client_address`], [`config`] | small shared types |
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `tokio` | `spawn` and its like within the current request; signals |
//! | `otel` | the OpenTelemetry API: its spans become children, our propagators are its |
//! | `otlp-grpc`, `otlp-http` | spans to a collector |
//! | `otlp-tls` | both of them over TLS |
//! | `xray-daemon` | spans to the X-Ray daemon, and its centralized sampling |
//! | `aws-detect` | asks AWS where the process runs: ECS, EKS, EC2, Lambda |
//! | `aws-sdk` | an interceptor that adds the trace to calls of the AWS SDK |
//! | `debug-on-demand` | signed, expiring requests for more lines |
//! | `test-util` | an in-memory exporter, a clock for tests |
//!
//! None is on by default.

pub mod admit;
pub mod body;
pub mod circuit;
pub mod client_address;
pub mod clock;
pub mod config;
pub mod context;
pub mod control;
pub mod deadline;
pub mod environment;
#[cfg(any(test, feature = "test-util"))]
mod fuzz;
pub mod id;
pub mod log;
pub mod metric;
pub mod outcome;
pub mod output;
pub mod problem;
pub mod propagate;
pub mod random;
pub mod resource;
pub mod shard;
pub mod span;
pub mod subscriber;
pub mod telemetry;
pub mod trace;
