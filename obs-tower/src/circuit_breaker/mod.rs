//! A circuit breaker around a service: calls to something that is down fail at once.
//!
//! The state machine, its configuration and the rules are in [`obs_core::circuit`]; this is the
//! layer. Its state is the [`CircuitBreaker`] handle it is given, so a layer applied to many
//! routes, or once per request, is one breaker.
//!
//! ```
//! use bytes::Bytes;
//! use http::{Request, Response};
//! use obs_core::circuit::{CircuitBreaker, CircuitBreakerConfig};
//! use obs_tower::circuit_breaker::CircuitBreakerLayer;
//! use tower::{Layer, ServiceExt, service_fn};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let config = CircuitBreakerConfig::new().consecutive_failures_threshold(1);
//! let breaker = CircuitBreaker::builder("inventory").config(config).build()?;
//! let service = CircuitBreakerLayer::new(breaker).layer(service_fn(|_: Request<()>| async {
//!     Response::builder().status(500).body(Bytes::new())
//! }));
//! assert_eq!(service.clone().oneshot(Request::new(())).await?.status(), 500);
//! let refused = service.oneshot(Request::new(())).await?;
//! assert_eq!(refused.status(), 503);
//! assert_eq!(refused.headers()["retry-after"], "60");
//! # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
//! ```
//!
//! For clients whose error type takes a [`Rejected`] (a boxed error does),
//! [`CircuitBreakerLayer::reject_with`]`(AsError)` answers with an error instead. For one breaker
//! per tenant, operation or host, see [`CircuitBreakerLayer::keyed`].
//!
//! # Place in a stack
//!
//! A time limit outside the breaker still feeds it: a call that waited and is dropped after its
//! deadline is a failure, and so is one dropped by a limit of any other kind once it is slow.
//! Retries belong outside, so that each attempt is judged and an open breaker ends them; limits
//! belong outside too, and what they refuse never reaches the breaker.
//!
//! # Cost
//!
//! Closed: that of [`obs_core::circuit`], no allocation, no box. Only a call that has to wait asks
//! for its deadline. Readiness is the inner service's alone: an open breaker reports ready and
//! refuses in `call`.

mod layer;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use obs_core::circuit::{CircuitBreaker, CircuitBreakers, NotPermitted, Permit};
use obs_core::outcome::{Outcome, Rejection};

use crate::classify::HttpStatus;
use crate::deadline::inherited;
use crate::judged::Judged;
use crate::reject::{AsResponse, Rejected};

pub use crate::judged::{LetIn, ResponseFuture, Settle};
pub use layer::CircuitBreakerLayer;

/// A service behind a circuit breaker; made by [`CircuitBreakerLayer`].
pub type CircuitBreakerService<S, B = CircuitBreaker, C = HttpStatus, R = AsResponse> =
    Judged<S, B, C, R>;

impl<Req> LetIn<Req> for CircuitBreaker {
    type Permit = Permit;

    #[inline]
    fn let_in(&self, _: &Req) -> Result<Permit, Rejected> {
        Ok(self.try_begin_at(self.clock().coarse())?)
    }
}

/// One breaker per key of a request; made by [`CircuitBreakerLayer::keyed`].
///
/// ```
/// use std::borrow::Cow;
///
/// use http::Request;
/// use obs_core::circuit::{CircuitBreakerConfig, CircuitBreakers};
/// use obs_tower::circuit_breaker::CircuitBreakerLayer;
///
/// fn host(request: &Request<()>) -> Cow<'_, str> {
///     request.uri().host().unwrap_or_default().into()
/// }
///
/// let breakers = CircuitBreakers::new("partners", CircuitBreakerConfig::new(), 100)?;
/// let layer = CircuitBreakerLayer::keyed(breakers, host);
/// # let _ = layer;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Keyed<K> {
    breakers: CircuitBreakers,
    key: K,
}

impl<Req, K> LetIn<Req> for Keyed<K>
where
    K: Fn(&Req) -> Cow<'_, str>,
{
    type Permit = Permit;

    fn let_in(&self, request: &Req) -> Result<Permit, Rejected> {
        self.breakers.get(&(self.key)(request)).let_in(request)
    }
}

impl Settle for Permit {
    #[inline]
    fn settle(&mut self, outcome: Outcome) {
        self.end(outcome);
    }

    #[inline]
    fn waits(&mut self) {
        if self.is_fresh() {
            Permit::waits(self, inherited());
        }
    }
}

impl From<NotPermitted> for Rejected {
    fn from(refusal: NotPermitted) -> Self {
        Self::new(Rejection::CircuitBreaker, refusal.name().clone())
            .retry_after(refusal.retry_after())
    }
}
