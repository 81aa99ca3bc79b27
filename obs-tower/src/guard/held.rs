use std::sync::Arc;

use http::{HeaderMap, Request};
use obs_core::admit;
use obs_core::circuit;
use obs_core::clock::Instant;
use obs_core::deadline::Deadline;
use obs_core::outcome::Outcome;

use super::Choose;
use super::parts::{Breaker, Parts};
use crate::bulkhead::{self, Admission, Waiting};
use crate::load_shed;
use crate::priority::Priority;
use crate::reject::Rejected;

/// What a request holds of the parts that have let it pass.
///
/// It is given back exactly once: by [`settle`](Self::settle), or by its drop as a call that was
/// cancelled, which each part judges by the deadline.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) parts: Arc<Parts>,
    pub(super) deadline: Option<Deadline>,
    pub(super) rate: Option<admit::Permit>,
    pub(super) shed: Option<load_shed::Ticket>,
    pub(super) bulkhead: Option<bulkhead::Ticket>,
    pub(super) breaker: Option<circuit::Permit>,
}

/// How far a request has come.
pub(super) enum Progress {
    /// Through all of it.
    Through,
    /// Into the queue of the bulkhead.
    Queued(Waiting),
}

impl Held {
    #[inline]
    pub(super) const fn nothing_of(parts: Arc<Parts>, deadline: Option<Deadline>) -> Self {
        Self { parts, deadline, rate: None, shed: None, bulkhead: None, breaker: None }
    }

    /// From the load shedding to the breaker, or into the queue between.
    #[inline]
    pub(super) fn pass<B>(
        &mut self,
        request: &Request<B>,
        priority: Priority,
        choose: &impl Choose<Request<B>>,
        now: Instant,
    ) -> Result<Progress, Rejected> {
        let deadline = self.deadline;
        if let Some(shed) = &self.parts.shed {
            self.shed = Some(shed.admit(priority, deadline)?);
        }
        if let Some(bulkhead) = &self.parts.bulkhead {
            match bulkhead.admit(choose.place_of(request), true, || now, || deadline) {
                Admission::Admitted(ticket) => self.bulkhead = Some(ticket),
                Admission::Queued(waiting) => return Ok(Progress::Queued(waiting)),
                Admission::Full(full) => return Err(full.into()),
            }
        }
        self.pass_breaker(request, choose, now).map(|()| Progress::Through)
    }

    #[inline]
    pub(super) fn pass_breaker<B>(
        &mut self,
        request: &Request<B>,
        choose: &impl Choose<Request<B>>,
        now: Instant,
    ) -> Result<(), Rejected> {
        self.breaker = match &self.parts.breaker {
            None => None,
            Some(Breaker::One(breaker)) => Some(breaker.try_begin_at(now)?),
            Some(Breaker::PerKey(breakers)) => {
                let breaker = breakers.get(&choose.key_of(request));
                Some(breaker.try_begin_at(now)?)
            }
        };
        Ok(())
    }

    /// Tells every part how the request ended.
    #[inline]
    pub(super) fn settle(&mut self, outcome: Outcome, now: Instant) {
        if let Some(permit) = self.breaker.take() {
            permit.settle_at(outcome, now);
        }
        self.give_back(Some(outcome), now);
        if let Some(permit) = self.rate.take() {
            permit.settle(outcome);
        }
    }

    #[inline]
    fn give_back(&mut self, outcome: Option<Outcome>, now: Instant) {
        if let (Some(ticket), Some(bulkhead)) = (self.bulkhead.take(), &self.parts.bulkhead) {
            bulkhead.leave(&ticket);
        }
        if let (Some(ticket), Some(shed)) = (self.shed.take(), &self.parts.shed) {
            shed.settle(ticket, outcome, now);
        }
    }

    /// The call has to wait for its answer.
    #[inline]
    pub(super) fn waits(&mut self) {
        if let Some(permit) = self.breaker.as_mut().filter(|permit| permit.is_fresh()) {
            permit.waits(self.deadline);
        }
    }

    /// The headers that a rate limit adds to the response.
    #[inline]
    pub(super) fn take_headers(&mut self) -> Option<HeaderMap> {
        self.rate.as_mut()?.take_headers()
    }
}

impl Drop for Held {
    #[inline]
    fn drop(&mut self) {
        if self.bulkhead.is_some() || self.shed.is_some() {
            let now = self.parts.clock.coarse();
            self.give_back(None, now);
        }
    }
}
