use std::task::{Context, Poll};

use obs_core::circuit::CircuitBreaker;
use tower_service::Service;

use super::{ResponseFuture, SelectBreaker};
use crate::classify::{Classify, HttpStatus};
use crate::reject::{AsResponse, Reject, Rejected};

/// A service behind a circuit breaker; made by
/// [`CircuitBreakerLayer`](super::CircuitBreakerLayer).
#[derive(Clone, Copy, Debug)]
pub struct CircuitBreakerService<S, B = CircuitBreaker, C = HttpStatus, R = AsResponse> {
    pub(super) inner: S,
    pub(super) breaker: B,
    pub(super) classify: C,
    pub(super) reject: R,
}

impl<S, B, C, R> CircuitBreakerService<S, B, C, R> {
    /// The service behind the breaker.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The service behind the breaker.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The service without the breaker.
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B, C, R, Req> Service<Req> for CircuitBreakerService<S, B, C, R>
where
    S: Service<Req>,
    B: SelectBreaker<Req>,
    C: Classify<S::Response, S::Error> + Clone,
    R: Reject<S::Response, S::Error>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, S::Response, S::Error, C>;

    #[inline]
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    #[inline]
    fn call(&mut self, request: Req) -> Self::Future {
        match self.breaker.try_acquire(&request) {
            Ok(permit) => {
                ResponseFuture::admitted(self.inner.call(request), permit, self.classify.clone())
            }
            Err(refusal) => ResponseFuture::refused(self.reject.reject(Rejected::from(refusal))),
        }
    }
}
