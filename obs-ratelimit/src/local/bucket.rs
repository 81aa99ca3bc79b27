use super::{Cell, Charged, Slot, Standing, Wait};
use crate::quota::BucketPlan;

/// GCRA: the theoretical arrival time, exact to a fraction of a nanosecond.
///
/// The bucket is full at `at + part / limit`; later than that it stays full. Admitted is what
/// keeps that time within the bucket's own refill time from now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BucketCell {
    at: u64,
    part: u64,
}

impl BucketCell {
    /// The cell with `now` as its earliest full time. A debt deeper than twice the bucket, which
    /// only a smaller quota put in place at run time leaves behind, is cut to that.
    fn current(self, plan: &BucketPlan, now: u64) -> Self {
        let deepest = now.saturating_add(plan.full().nanos.saturating_mul(2));
        if self.at < now || (self.at == now && self.part == 0) {
            Self { at: now, part: 0 }
        } else if self.at > deepest {
            Self { at: deepest, part: 0 }
        } else if self.part >= plan.limit {
            Self { at: self.at + 1, part: 0 }
        } else {
            self
        }
    }

    /// The time at which the bucket is full, not before `now`, if it is a whole number.
    #[cfg(feature = "governor")]
    pub(super) fn whole(self, plan: &BucketPlan, now: u64) -> Option<u64> {
        let current = self.current(plan, now);
        (current.part == 0).then_some(current.at)
    }

    /// The cell of a bucket that is full at this time.
    #[cfg(feature = "governor")]
    pub(super) const fn full_at(at: u64) -> Self {
        Self { at, part: 0 }
    }

    /// How long a charge that is refused now has to wait.
    #[cfg(feature = "governor")]
    pub(super) fn wait(self, plan: &BucketPlan, now: u64, cost: u64) -> Wait {
        let mut cell = self;
        cell.spend(plan, now, cost).err().unwrap_or(Wait::Nanos(1))
    }

    /// The cell after `cost` more; `None` if that lies beyond time.
    fn plus(self, plan: &BucketPlan, cost: u64) -> Option<Self> {
        let span = plan.time_of(cost)?;
        let mut at = self.at.checked_add(span.nanos)?;
        // Both parts are below the limit, which is at most 62 bits wide.
        let mut part = self.part + span.part;
        if part >= plan.limit {
            part -= plan.limit;
            at = at.checked_add(1)?;
        }
        Some(Self { at, part })
    }
}

impl Slot for BucketCell {
    #[inline]
    fn is_fresh(&self, now: u64) -> bool {
        self.at < now || (self.at == now && self.part == 0)
    }
}

impl Cell for BucketCell {
    type Plan = BucketPlan;

    #[inline]
    fn spend(&mut self, plan: &BucketPlan, now: u64, cost: u64) -> Result<Charged, Wait> {
        if cost > plan.burst {
            return Err(Wait::Never);
        }
        let current = self.current(plan, now);
        let next = current.plus(plan, cost).ok_or(Wait::Never)?;
        let (debt, full) = (next.at - now, plan.full());
        if (debt, next.part) > (full.nanos, full.part) {
            *self = current;
            let wait = debt - full.nanos + u64::from(next.part > full.part);
            return Err(Wait::Nanos(wait));
        }
        let amount = next.at - current.at;
        *self = next;
        Ok(Charged { amount, stamp: next.at })
    }

    fn debit(&mut self, plan: &BucketPlan, now: u64, cost: u64) {
        let deepest = Self { at: now.saturating_add(plan.full().nanos.saturating_mul(2)), part: 0 };
        let next = self.current(plan, now).plus(plan, cost).unwrap_or(deepest);
        *self = if next.at > deepest.at { deepest } else { next };
    }

    /// The own charge drains last in first out of time: it lies between `stamp - amount` and
    /// `stamp`, and what of that lies in the past has drained and is not given back.
    fn refund(&mut self, now: u64, charged: Charged) {
        let outstanding = charged.stamp.saturating_sub(now).min(charged.amount);
        self.at = self.at.saturating_sub(outstanding);
    }

    fn grant(&mut self, plan: &BucketPlan, now: u64, tokens: u64) {
        let back = plan.time_of(tokens).map_or(u64::MAX, |span| span.nanos);
        *self = self.current(plan, now);
        self.at = self.at.saturating_sub(back);
    }

    fn standing(&self, plan: &BucketPlan, now: u64) -> Standing {
        let cell = self.current(plan, now);
        let (debt, full) = (cell.at - now, plan.full());
        if debt == 0 && cell.part == 0 {
            return Standing { remaining: plan.burst, more_in: 0 };
        }
        let room = match (full.nanos.checked_sub(debt), full.part.checked_sub(cell.part)) {
            (Some(nanos), Some(part)) => Some(crate::quota::Span { nanos, part }),
            (Some(nanos), None) if nanos > 0 => {
                let part = full.part + plan.limit - cell.part;
                Some(crate::quota::Span { nanos: nanos - 1, part })
            }
            _ => None,
        };
        let remaining = room.map_or(0, |room| plan.tokens_in(room)).min(plan.burst);
        // The next token is there when the debt has shrunk to what leaves room for it.
        let next = (*self).current(plan, now).plus(plan, remaining + 1);
        let more_in = next.map_or(0, |next| {
            let debt = next.at - now;
            debt.saturating_sub(full.nanos) + u64::from(debt >= full.nanos && next.part > full.part)
        });
        Standing { remaining, more_in }
    }
}
