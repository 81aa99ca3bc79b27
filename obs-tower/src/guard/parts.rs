use std::sync::Arc;
use std::time::Duration;

use obs_core::admit::Admit;
use obs_core::circuit::{CircuitBreaker, CircuitBreakers};
use obs_core::clock::{Clock, Instant};
use obs_core::deadline::Deadline;

use crate::bulkhead::Bulkhead;
use crate::load_shed::LoadShed;
use crate::reject::Rejected;
use crate::timeout::{Limit, TimeLimiter};

#[derive(Debug)]
pub(super) struct Parts {
    pub(super) clock: Clock,
    pub(super) rate_limit: Option<Arc<dyn Admit>>,
    pub(super) shed: Option<LoadShed>,
    pub(super) bulkhead: Option<Bulkhead>,
    pub(super) breaker: Option<Breaker>,
    pub(super) limiter: Option<TimeLimiter>,
}

#[derive(Debug)]
pub(super) enum Breaker {
    One(CircuitBreaker),
    PerKey(CircuitBreakers),
}

impl Parts {
    pub(super) const fn none() -> Self {
        Self {
            clock: Clock::system(),
            rate_limit: None,
            shed: None,
            bulkhead: None,
            breaker: None,
            limiter: None,
        }
    }

    /// The deadline of a request that comes `now`, limited to `own` or else to the default.
    #[inline]
    pub(super) fn start(
        &self,
        now: Instant,
        own: Option<Duration>,
        inherited: Option<Deadline>,
    ) -> Result<Option<Limit>, Rejected> {
        self.limiter.as_ref().map(|limiter| limiter.start(now, own, inherited)).transpose()
    }
}
