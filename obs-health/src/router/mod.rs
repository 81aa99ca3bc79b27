//! The endpoints: probes, details, circuits and controls, as a plain tower service and, with the
//! feature `axum`, as a router.
//!
//! | path | answers |
//! |---|---|
//! | `/health`, `/ready`, `/health/ready`, `/healthz`, `/readyz` | readiness: 200, or 503 when something required is down |
//! | `/live`, `/health/live`, `/livez` | liveness: 200 while the runtime runs tasks |
//! | `/health/detail` | readiness with every dependency, for those who may see it |
//! | `/health/circuits`, `/health/circuits/{name}` | circuit breakers; `POST` acts on one |
//! | `/health/controls`, `/health/controls/{kind}/{name}` | every other control; `POST` acts on one |
//!
//! `HEAD` works as `GET` does. Every answer carries `Cache-Control: no-store`. A caller that is
//! curl and asks for nothing else gets plain text, everybody else JSON.
//!
//! ```
//! use http::Request;
//! use obs_health::{HealthRegistry, HealthService};
//! use tower::ServiceExt;
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # runtime.block_on(async {
//! let health = HealthRegistry::builder("orders").build()?;
//! let request = Request::get("/live").body(String::new())?;
//! assert_eq!(HealthService::new(health).oneshot(request).await?.status(), 200);
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod body;
mod operate;
mod path;
mod respond;
mod service;

#[cfg(feature = "axum")]
mod axum;

pub use body::HealthBody;
pub use service::{HealthService, ResponseFuture};
