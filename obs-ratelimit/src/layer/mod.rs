//! The limit as a tower layer.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response, StatusCode};
//! use http_body_util::Full;
//! use obs_ratelimit::{Key, Limiter, Policy, Quota, RateLimitLayer};
//! use tower::{ServiceBuilder, ServiceExt, service_fn};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let tenant = Policy::builder("tenant", Quota::per_second(1).burst(1)).key(Key::tenant()).build()?;
//! let service = ServiceBuilder::new().layer(RateLimitLayer::new(Limiter::new(tenant)?)).service_fn(
//!     |_: Request<Full<Bytes>>| async {
//!         Ok::<_, std::convert::Infallible>(Response::new(Full::<Bytes>::from("done")))
//!     },
//! );
//!
//! let request = || Request::get("/orders").header("x-tenant-id", "acme").body(Full::default());
//! let response = service.clone().oneshot(request()?).await?;
//! assert_eq!(response.headers()["ratelimit"], r#""tenant";r=0;t=1"#);
//!
//! let refused = service.oneshot(request()?).await?;
//! assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
//! assert_eq!(refused.headers()["retry-after"], "1");
//! # Ok(())
//! # }
//! ```
//!
//! The limit is asked in `call`, never in `poll_ready`: being ready charges nothing. A refused
//! request never reaches the inner service. Place the layer inside the one that observes, so that
//! refusals are seen, and outside whatever is costly.

mod body;
mod future;
mod service;
#[cfg(test)]
mod tests;

use tower_layer::Layer;

pub use body::{HeldToEnd, ResponseBody};
pub use future::ResponseFuture;
pub use service::RateLimit;

use crate::limiter::Limiter;

/// Applies a [`Limiter`] to a service; see the [module](self).
///
/// Every service it makes shares the limiter's state.
///
/// ```
/// use obs_ratelimit::{Key, Limiter, Policy, Quota, RateLimitLayer};
///
/// let policy = Policy::builder("tenant", Quota::per_second(100)).key(Key::tenant()).build()?;
/// let layer = RateLimitLayer::new(Limiter::new(policy)?);
/// # let _ = layer;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RateLimitLayer {
    limiter: Limiter,
}

impl RateLimitLayer {
    /// The layer of this limiter.
    #[must_use]
    pub const fn new(limiter: Limiter) -> Self {
        Self { limiter }
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = RateLimit<S>;

    fn layer(&self, inner: S) -> RateLimit<S> {
        RateLimit::new(inner, self.limiter.clone())
    }
}
