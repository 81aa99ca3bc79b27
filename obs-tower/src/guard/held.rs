use std::sync::Arc;

use http::HeaderMap;
use obs_core::admit;
use obs_core::circuit;
use obs_core::clock::Instant;
use obs_core::deadline::Deadline;
use obs_core::outcome::Outcome;

use super::parts::Parts;
use crate::bulkhead;
use crate::load_shed;

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

impl Held {
    #[inline]
    pub(super) const fn nothing_of(parts: Arc<Parts>, deadline: Option<Deadline>) -> Self {
        Self { parts, deadline, rate: None, shed: None, bulkhead: None, breaker: None }
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
