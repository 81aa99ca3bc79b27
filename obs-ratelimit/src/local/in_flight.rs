use super::{Cell, Charged, Slot, Standing, Wait};

/// How many requests of a key are running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct InFlightCell {
    running: u64,
}

impl Slot for InFlightCell {
    fn is_fresh(&self, _now: u64) -> bool {
        self.running == 0
    }
}

impl Cell for InFlightCell {
    type Plan = u64;

    fn spend(&mut self, limit: &u64, _now: u64, cost: u64) -> Result<Charged, Wait> {
        if cost > *limit {
            return Err(Wait::Never);
        }
        let running = self.running.saturating_add(cost);
        if running > *limit {
            return Err(Wait::Unknown);
        }
        self.running = running;
        Ok(Charged { amount: cost, stamp: 0 })
    }

    /// What has ended takes no place.
    fn debit(&mut self, _limit: &u64, _now: u64, _cost: u64) {}

    fn refund(&mut self, _now: u64, charged: Charged) {
        self.running = self.running.saturating_sub(charged.amount);
    }

    /// A place is given back by the request that holds it, and by nobody else.
    fn grant(&mut self, _limit: &u64, _now: u64, _tokens: u64) {}

    fn standing(&self, limit: &u64, _now: u64) -> Standing {
        Standing { remaining: limit.saturating_sub(self.running), more_in: 0 }
    }
}
