//! Probes, dependency checks and circuit endpoints that tell the truth.
//!
//! A [`HealthRegistry`] asks its dependencies in the background and answers probes from what it
//! knows: a dependency that hangs never delays a probe.
//!
//! ```
//! use http::Request;
//! use obs_health::{Dependency, HealthRegistry, HealthService};
//! use tower::ServiceExt;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let health = HealthRegistry::builder("orders")
//!     .dependency(Dependency::required("database", || async { Ok::<(), std::io::Error>(()) }))
//!     .build()
//!     .unwrap();
//! let _running = health.start();
//! # health.refresh().await;
//!
//! let request = Request::get("/ready").body(String::new()).unwrap();
//! let response = HealthService::new(health).oneshot(request).await.unwrap();
//! assert_eq!(response.status(), 200);
//! # });
//! ```
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
