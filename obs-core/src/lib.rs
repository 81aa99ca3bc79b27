//! The ground of the suite: identity, context, propagation, logs, traces, lifecycle, and the small
//! traits through which the other crates meet.

pub mod admit;
pub mod circuit;
pub mod client_address;
pub mod clock;
pub mod config;
pub mod context;
pub mod control;
pub mod deadline;
pub mod environment;
pub mod id;
pub mod log;
pub mod metric;
pub mod outcome;
pub mod output;
pub mod problem;
pub mod propagate;
pub mod random;
pub mod resource;
pub mod span;
pub mod subscriber;
pub mod telemetry;
pub mod trace;
