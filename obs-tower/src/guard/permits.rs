use http::HeaderMap;
use obs_core::admit;
use obs_core::circuit;
use obs_core::clock::Instant;
use obs_core::deadline::Deadline;
use obs_core::outcome::Outcome;

use crate::bulkhead::BulkheadPermit;
use crate::load_shed::LoadShedPermit;

/// What a request holds of the parts that have let it pass.
///
/// It is given back exactly once: by [`settle`](Self::settle), or by its drop as a call that was
/// cancelled, which each part judges by the deadline.
#[derive(Debug, Default)]
pub(super) struct Permits {
    pub(super) rate: Option<admit::Permit>,
    pub(super) shed: Option<LoadShedPermit>,
    pub(super) bulkhead: Option<BulkheadPermit>,
    pub(super) breaker: Option<circuit::Permit>,
    pub(super) deadline: Option<Deadline>,
}

impl Permits {
    /// Tells every part how the request ended.
    #[inline]
    pub(super) fn settle(&mut self, outcome: Outcome, now: Instant) {
        if let Some(permit) = self.breaker.take() {
            permit.settle_at(outcome, now);
        }
        self.bulkhead = None;
        if let Some(permit) = self.shed.take() {
            permit.settle_at(outcome, now);
        }
        if let Some(permit) = self.rate.take() {
            permit.settle(outcome);
        }
    }

    /// The headers that a rate limit adds to the response.
    #[inline]
    pub(super) fn take_headers(&mut self) -> Option<HeaderMap> {
        self.rate.as_mut()?.take_headers()
    }
}
