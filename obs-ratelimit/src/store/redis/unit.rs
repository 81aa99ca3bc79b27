use crate::quota::BucketPlan;

/// The unit in which a script counts time: the finest in which its numbers stay exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    /// Microseconds in a unit.
    pub(super) micros: u64,
    /// The period in units, rounded up, so that rounding never favours the client.
    pub(super) period: u64,
}

/// Doubles are exact for whole numbers below this.
const EXACT: u128 = 1 << 53;

impl Unit {
    pub(super) fn of(plan: &BucketPlan) -> Option<Self> {
        [1, 1_000, 1_000_000].into_iter().find_map(|micros| {
            let period = plan.period.div_ceil(micros * 1_000);
            // The largest product: a debt of two buckets and a charge of one more.
            let largest = u128::from(plan.burst) * u128::from(period) * 4;
            let fits = largest < EXACT && u128::from(plan.limit) * 4 < EXACT;
            fits.then_some(Self { micros, period })
        })
    }
}
