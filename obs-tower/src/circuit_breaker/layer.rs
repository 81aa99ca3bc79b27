use std::borrow::Cow;

use obs_core::circuit::{CircuitBreaker, CircuitBreakers};
use tower_layer::Layer;

use super::{CircuitBreakerService, Keyed};
use crate::classify::HttpStatus;
use crate::judged::Judged;
use crate::reject::AsResponse;

/// Puts a circuit breaker around a service.
///
/// `C` reads results, [`HttpStatus`] unless set; `R` answers refused calls, [`AsResponse`] unless
/// set; `B` is the breaker, or how to find it.
///
/// ```
/// use obs_core::circuit::CircuitBreaker;
/// use obs_tower::circuit_breaker::CircuitBreakerLayer;
/// use obs_tower::classify::GrpcStatus;
/// use obs_tower::reject::AsError;
///
/// let breaker = CircuitBreaker::builder("inventory").build()?;
/// let layer = CircuitBreakerLayer::new(breaker).classify_with(GrpcStatus).reject_with(AsError);
/// # let _ = layer;
/// # Ok::<(), obs_core::config::ConfigError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CircuitBreakerLayer<B = CircuitBreaker, C = HttpStatus, R = AsResponse> {
    breaker: B,
    classify: C,
    reject: R,
}

impl CircuitBreakerLayer {
    /// All calls go through `breaker`.
    #[must_use]
    pub const fn new(breaker: CircuitBreaker) -> Self {
        Self { breaker, classify: HttpStatus, reject: AsResponse }
    }
}

impl<K> CircuitBreakerLayer<Keyed<K>> {
    /// Each call goes through the breaker of its key.
    ///
    /// ```
    /// use std::borrow::Cow;
    /// use http::Request;
    /// use obs_core::circuit::{CircuitBreakerConfig, CircuitBreakers};
    /// use obs_tower::circuit_breaker::CircuitBreakerLayer;
    ///
    /// fn host(request: &Request<String>) -> Cow<'_, str> {
    ///     request.uri().host().unwrap_or("").into()
    /// }
    /// let hosts = CircuitBreakers::new("hosts", CircuitBreakerConfig::new(), 100)?;
    /// let layer = CircuitBreakerLayer::keyed(hosts, host);
    /// # Ok::<_, obs_core::config::ConfigError>(())
    /// ```
    #[must_use]
    pub const fn keyed<Req>(breakers: CircuitBreakers, key: K) -> Self
    where
        K: Fn(&Req) -> Cow<'_, str>,
    {
        Self { breaker: Keyed { breakers, key }, classify: HttpStatus, reject: AsResponse }
    }
}

impl<B, C, R> CircuitBreakerLayer<B, C, R> {
    /// Reads results with `classify`; see [`Classify`](crate::classify::Classify). Default
    /// [`HttpStatus`](crate::classify::HttpStatus).
    #[must_use]
    pub fn classify_with<C2>(self, classify: C2) -> CircuitBreakerLayer<B, C2, R> {
        CircuitBreakerLayer { breaker: self.breaker, classify, reject: self.reject }
    }

    /// Answers refused calls with `reject`; see [`Reject`](crate::reject::Reject). Default
    /// [`AsResponse`](crate::reject::AsResponse).
    #[must_use]
    pub fn reject_with<R2>(self, reject: R2) -> CircuitBreakerLayer<B, C, R2> {
        CircuitBreakerLayer { breaker: self.breaker, classify: self.classify, reject }
    }
}

impl<S, B: Clone, C: Clone, R: Clone> Layer<S> for CircuitBreakerLayer<B, C, R> {
    type Service = CircuitBreakerService<S, B, C, R>;

    fn layer(&self, inner: S) -> Self::Service {
        let Self { breaker, classify, reject } = self.clone();
        Judged::new(inner, breaker, classify, reject)
    }
}
