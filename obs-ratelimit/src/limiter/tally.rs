use obs_core::metric::Counter;
use obs_core::shard::Sum;

/// A count for the control's snapshot and for the metric.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    sum: Sum,
    metric: Counter,
}

impl Tally {
    pub(super) fn new(metric: Counter) -> Self {
        Self { metric, ..Self::default() }
    }

    #[inline]
    pub(super) fn add(&self) {
        self.sum.add(1);
        self.metric.add(1);
    }

    pub(super) fn count(&self) -> u64 {
        self.sum.get()
    }
}
