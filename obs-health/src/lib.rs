#![doc = include_str!("../README.md")]
#![cfg_attr(docsrs, feature(doc_cfg))]
//! # Modules and features
//!
//! | module | what is there |
//! |---|---|
//! | [`check`] | what is asked of a dependency, and the checks that come with the crate |
//! | [`router`] | the endpoints |
//! | [`drain`] | how a service stops |
//!
//! | feature | adds |
//! |---|---|
//! | `axum` | the endpoints as a router, and `serve` |
//! | `disk` | `DiskCheck`, with rustix |
//! | `dynamodb` | `DynamoDbCheck`, with the AWS SDK |
//! | `http-check` | `HttpCheck`, with hyper-util |
//! | `redis` | `RedisCheck` |
//! | `sqlx` | `SqlCheck` |
//! | `full` | all of them |

pub mod check;
pub mod drain;
pub mod router;

mod access;
mod registry;
mod report;
#[cfg(feature = "axum")]
mod serve;

pub use registry::{Dependency, Event, HealthBuilder, HealthRegistry, Observer, Running};
pub use router::HealthService;
#[cfg(feature = "axum")]
pub use serve::serve;
