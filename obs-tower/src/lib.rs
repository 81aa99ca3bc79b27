#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
//! # Modules and features
//!
//! | module | feature | what it does |
//! |---|---|---|
//! | `observe` | `observe`, default | one record of every request |
//! | `client` | `client`, default | the same for outgoing calls, and propagation |
//! | `axum` | `axum` | extractors, rejections as problem details |
//! | `message` | `message` | one record of every message |
//! | `lambda` | `lambda` | one record of every invocation, flushed before the freeze |
//! | `circuit_breaker` | `circuit-breaker` | ends calls to what fails |
//! | `bulkhead` | `bulkhead` | so many calls at once and no more |
//! | `retry` | `retry` | repeats what may be repeated, within a budget |
//! | `timeout` | `timeout` | deadlines, inherited and sent along |
//! | `load_shed` | `load-shed` | an adaptive limit, by priority |
//! | `fallback` | `fallback` | another answer in place of a failure |
//! | `guard` | `guard` | all of them but fallback and retry, as one layer |
//! | | `tokio` | a timer that ends the record of a response that is silent for too long |
//! | | `full` | all of them |
//!
//! The layers keep the error type of what they wrap, box nothing, and never fail a request for
//! trouble of their own.

#[cfg(any(
    feature = "bulkhead",
    feature = "circuit-breaker",
    feature = "fallback",
    feature = "guard",
    feature = "load-shed",
    feature = "timeout"
))]
#[macro_use]
mod accessors;
#[cfg(feature = "axum")]
pub mod axum;
#[cfg(feature = "bulkhead")]
pub mod bulkhead;
#[cfg(feature = "circuit-breaker")]
pub mod circuit_breaker;
pub mod classify;
#[cfg(feature = "client")]
pub mod client;
pub mod deadline;
#[cfg(any(feature = "observe", feature = "client", feature = "message", feature = "lambda"))]
#[cfg_attr(
    not(all(feature = "observe", feature = "client", feature = "message")),
    allow(dead_code, unreachable_pub, unused_imports, reason = "each feature uses a part of it")
)]
mod exchange;
#[cfg(feature = "fallback")]
pub mod fallback;
#[cfg(feature = "guard")]
pub mod guard;
#[cfg(any(feature = "circuit-breaker", feature = "load-shed"))]
mod judged;
#[cfg(feature = "lambda")]
pub mod lambda;
#[cfg(feature = "load-shed")]
pub mod load_shed;
#[cfg(feature = "message")]
pub mod message;
#[cfg(feature = "observe")]
pub mod observe;
pub mod priority;
pub mod reject;
#[cfg(feature = "retry")]
pub mod retry;
#[cfg(feature = "timeout")]
pub mod timeout;
#[cfg(any(feature = "circuit-breaker", feature = "load-shed"))]
mod unwind;
#[cfg(test)]
#[cfg(not(obs_loom))]
#[cfg(any(feature = "bulkhead", feature = "retry", feature = "timeout"))]
mod virtual_time;
#[cfg(any(feature = "message", feature = "lambda"))]
mod work;
