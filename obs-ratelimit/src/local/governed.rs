use std::cell::Cell as Word;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

use super::{BucketCell, Cell, Charged, Slot, Standing, Wait};
use crate::quota::BucketPlan;

/// A bucket that governor decides about, for limits without open-ended keys.
///
/// governor is asked where it is exact: one request takes a whole number of nanoseconds and the
/// burst fits its 32 bits; a plan bounds the burst to 100 years, so that no product can wrap its
/// 64 bits. The time is the table's, which never goes back, and the state is the cell's, so that
/// charges can be taken back and keys looked at. Where governor would round, the cell decides as
/// any other bucket does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GovernedCell(BucketCell);

impl Slot for GovernedCell {
    fn is_fresh(&self, now: u64) -> bool {
        self.0.is_fresh(now)
    }
}

impl Cell for GovernedCell {
    type Plan = BucketPlan;

    fn spend(&mut self, plan: &BucketPlan, now: u64, cost: u64) -> Result<Charged, Wait> {
        let whole = u32::try_from(cost).ok().and_then(NonZeroU32::new);
        // Beyond the burst, governor multiplies before it looks.
        let whole = whole.filter(|_| cost <= plan.burst);
        let (Some(quota), Some(whole), Some(full_at)) =
            (quota(plan), whole, self.0.whole(plan, now))
        else {
            return self.0.spend(plan, now, cost);
        };
        let state = State(Word::new(full_at));
        let clock = Reading { now: Word::new(0), next: now };
        let governor =
            RateLimiter::<NotKeyed, _, _, NoOpMiddleware<Nanos>>::new(quota, &state, clock);
        match governor.check_n(whole) {
            Ok(Ok(())) => {
                self.0 = BucketCell::full_at(state.0.get());
                Ok(Charged { amount: state.0.get() - full_at, stamp: state.0.get() })
            }
            // Governor's own wait is a duration from a clock that has moved on.
            Ok(Err(_)) | Err(_) => Err(self.0.wait(plan, now, cost)),
        }
    }

    fn debit(&mut self, plan: &BucketPlan, now: u64, cost: u64) {
        self.0.debit(plan, now, cost);
    }

    fn refund(&mut self, now: u64, charged: Charged) {
        self.0.refund(now, charged);
    }

    fn grant(&mut self, plan: &BucketPlan, now: u64, tokens: u64) {
        self.0.grant(plan, now, tokens);
    }

    fn standing(&self, plan: &BucketPlan, now: u64) -> Standing {
        self.0.standing(plan, now)
    }
}

/// The plan as governor's quota; `None` where governor would round or not fit.
fn quota(plan: &BucketPlan) -> Option<Quota> {
    let burst = NonZeroU32::new(u32::try_from(plan.burst).ok()?)?;
    let step = plan.whole_step()?;
    Some(Quota::with_period(Duration::from_nanos(step))?.allow_burst(burst))
}

/// The state that governor replaces: the time at which the bucket is full.
struct State(Word<u64>);

impl StateStore for &State {
    type Key = NotKeyed;

    fn measure_and_replace<T, F, E>(&self, _: &NotKeyed, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let (answer, full_at) = decide(Some(Nanos::from(self.0.get())))?;
        self.0.set(full_at.as_u64());
        Ok(answer)
    }
}

/// Governor measures from its first reading, which is taken as zero, to the present.
struct Reading {
    now: Word<u64>,
    next: u64,
}

impl Clock for Reading {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.now.replace(self.next))
    }
}

impl Clone for Reading {
    fn clone(&self) -> Self {
        Self { now: Word::new(self.now.get()), next: self.next }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rl_1_governor_decides_like_the_own_bucket(
            limit in 1_u64..2_000,
            burst in 1_u64..50,
            arrivals in prop::collection::vec((0_u64..400_000_000, 0_u64..60), 1..100),
        ) {
            let plan = BucketPlan::new(limit, Duration::from_secs(1), burst).unwrap();
            let (mut governed, mut own) = (GovernedCell::default(), BucketCell::default());
            let mut now = 1_000_000_000_000;
            for (step, cost) in arrivals {
                now += step;
                let expected = own.spend(&plan, now, cost);
                prop_assert_eq!(governed.spend(&plan, now, cost), expected);
                prop_assert_eq!(governed.standing(&plan, now), own.standing(&plan, now));
            }
        }
    }

    #[test]
    fn rl_5_a_cost_that_wraps_governor_alone_is_refused() {
        let plan = BucketPlan::new(1, Duration::from_secs(86_400), 10).unwrap();
        for cost in [11, 213_504, 213_505, 213_506, 427_010, u64::from(u32::MAX), u64::MAX] {
            let mut cell = GovernedCell::default();
            assert_eq!(cell.spend(&plan, 1, cost), Err(Wait::Never), "cost {cost}");
        }
    }

    #[test]
    fn rl_7_a_clock_that_goes_back_makes_governor_neither_grant_nor_deny() {
        let table = crate::local::Table::<GovernedCell>::new(1);
        let plan = BucketPlan::new(1, Duration::from_secs(3_600), 10).unwrap();
        let now = 1_000_000_000_000_000;
        let spend = |now| table.with(9, now, |cell, now, _| cell.spend(&plan, *now, 1)).is_ok();
        for turn in 0..10_u64 {
            let skewed = if turn.is_multiple_of(2) { now } else { now - 1_600_000_000 };
            assert!(spend(skewed), "request {turn} is within the burst");
        }
        assert!(!spend(now - 1_600_000_000));
        assert!(!spend(0), "and far back neither");
    }
}
