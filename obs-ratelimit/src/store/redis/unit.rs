use crate::quota::{BucketPlan, CalendarUnit, WindowPlan, WindowSpan};

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
    pub(super) fn of_bucket(plan: &BucketPlan) -> Option<Self> {
        // The largest product: a debt of two buckets and a charge of one more.
        Self::finest(plan.period, plan.burst.max(plan.limit), |period| {
            u128::from(plan.burst) * u128::from(period) * 4
        })
    }

    pub(super) fn of_window(plan: &WindowPlan) -> Option<Self> {
        match plan.span {
            // Without a part of a window there is no product.
            WindowSpan::Fixed(period) => Self::finest(period, plan.limit, |_| 0),
            WindowSpan::Sliding(period) => Self::finest(period, plan.limit, |period| {
                // A debit may use a window twice.
                u128::from(plan.limit) * u128::from(period) * 4
            }),
            WindowSpan::Calendar(CalendarUnit::Day | CalendarUnit::Month) => {
                Self::finest(86_400_000_000_000, plan.limit, |_| 0)
            }
        }
    }

    fn finest(period: u64, count: u64, product: impl Fn(u64) -> u128) -> Option<Self> {
        [1, 1_000, 1_000_000].into_iter().find_map(|micros| {
            let period = period.div_ceil(micros * 1_000);
            let fits = product(period) < EXACT && u128::from(count) * 4 < EXACT;
            fits.then_some(Self { micros, period })
        })
    }
}
