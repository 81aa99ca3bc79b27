use std::sync::Arc;
use std::time::Duration;

use http::Request;
use obs_core::admit::Admit;
use obs_core::circuit::{CircuitBreaker, CircuitBreakers};
use obs_core::clock::{Clock, Instant};
use obs_core::deadline::Deadline;

use super::Choose;
use super::held::Held;
use crate::bulkhead::{Admission, Bulkhead, Waiting};
use crate::load_shed::LoadShed;
use crate::priority::Priority;
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

/// How far a request has come.
pub(super) enum Progress {
    /// Through all of it.
    Through,
    /// Into the queue of the bulkhead.
    Queued(Waiting),
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

    /// From the load shedding to the breaker, or into the queue between.
    #[inline]
    pub(super) fn pass<B>(
        &self,
        request: &Request<B>,
        priority: Priority,
        choose: &impl Choose<Request<B>>,
        held: &mut Held,
        now: Instant,
    ) -> Result<Progress, Rejected> {
        let deadline = held.deadline;
        if let Some(shed) = &self.shed {
            held.shed = Some(shed.admit(priority, deadline)?);
        }
        if let Some(bulkhead) = &self.bulkhead {
            match bulkhead.admit(choose.place_of(request), true, || now, || deadline) {
                Admission::Admitted(ticket) => held.bulkhead = Some(ticket),
                Admission::Queued(waiting) => return Ok(Progress::Queued(waiting)),
                Admission::Full(full) => return Err(full.into()),
            }
        }
        self.pass_breaker(request, choose, held, now).map(|()| Progress::Through)
    }

    #[inline]
    pub(super) fn pass_breaker<B>(
        &self,
        request: &Request<B>,
        choose: &impl Choose<Request<B>>,
        held: &mut Held,
        now: Instant,
    ) -> Result<(), Rejected> {
        held.breaker = match &self.breaker {
            None => None,
            Some(Breaker::One(breaker)) => Some(breaker.try_begin_at(now)?),
            Some(Breaker::PerKey(breakers)) => {
                let breaker = breakers.get(&choose.key_of(request));
                Some(breaker.try_begin_at(now)?)
            }
        };
        Ok(())
    }
}
