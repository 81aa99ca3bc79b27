use std::time::Duration;

use obs_core::config::ConfigError;

use super::{MAX_PERIOD, period_nanos};

/// A bucket of `burst` tokens that refills at `limit / period`, as exact fractions.
///
/// The time of one token is `step.0 + step.1 / limit` nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BucketPlan {
    pub(crate) limit: u64,
    pub(crate) period: u64,
    pub(crate) burst: u64,
    step: Span,
    full: Span,
    is_strict: bool,
}

/// A span of time: whole nanoseconds and a numerator over the plan's limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) nanos: u64,
    pub(crate) part: u64,
}

/// Limits for periods of this length and more are timed on a clock that runs on in suspension.
const LONG: u64 = 3_600_000_000_000;

impl BucketPlan {
    pub(crate) fn new(limit: u64, period: Duration, burst: u64) -> Result<Self, ConfigError> {
        if limit == 0 {
            return Err(ConfigError::new("limit", 0, "must be at least 1"));
        }
        let period = period_nanos(period)?;
        if limit > period {
            let rule = "must be at most one request per nanosecond";
            return Err(ConfigError::new("limit", limit, rule));
        }
        if burst == 0 {
            return Err(ConfigError::new("burst", 0, "must be at least 1"));
        }
        let (step, full) = (Span::default(), Span::default());
        let plan = Self { limit, period, burst, step, full, is_strict: false };
        let full =
            plan.time_of(burst).filter(|full| full.nanos <= period_nanos(MAX_PERIOD).unwrap_or(0));
        let Some(full) = full else {
            return Err(ConfigError::new("burst", burst, "must refill within 100 years"));
        };
        let step = Span { nanos: period / limit, part: period % limit };
        Ok(Self { step, full, ..plan })
    }

    /// The same, of which not one request more may pass than it says.
    pub(crate) const fn strict(self) -> Self {
        Self { is_strict: true, ..self }
    }

    /// Whether it must be timed exactly.
    pub(crate) const fn is_strict(&self) -> bool {
        self.is_strict
    }

    /// The time it takes to refill `tokens`; `None` if that is no time of this world.
    #[inline]
    pub(crate) fn time_of(&self, tokens: u64) -> Option<Span> {
        if tokens == 1 && self.step.nanos > 0 {
            return Some(self.step);
        }
        if let Some(product) = tokens.checked_mul(self.period) {
            return Some(Span { nanos: product / self.limit, part: product % self.limit });
        }
        let product = u128::from(tokens) * u128::from(self.period);
        let nanos = u64::try_from(product / u128::from(self.limit)).ok()?;
        // The remainder is below `limit`, which is 64 bits wide.
        Some(Span { nanos, part: (product % u128::from(self.limit)) as u64 })
    }

    /// The time of one token, if it is a whole number of nanoseconds.
    #[cfg(feature = "governor")]
    pub(crate) fn whole_step(&self) -> Option<u64> {
        (self.step.part == 0 && self.step.nanos > 0).then_some(self.step.nanos)
    }

    /// The time from empty to full.
    #[inline]
    pub(crate) const fn full(&self) -> Span {
        self.full
    }

    /// The whole tokens that refill in `span`.
    #[inline]
    pub(crate) fn tokens_in(&self, span: Span) -> u64 {
        let short = span.nanos.checked_mul(self.limit).and_then(|it| it.checked_add(span.part));
        if let Some(short) = short {
            return short / self.period;
        }
        let long = u128::from(span.nanos) * u128::from(self.limit) + u128::from(span.part);
        u64::try_from(long / u128::from(self.period)).unwrap_or(u64::MAX)
    }

    /// `burst + rate * window`, rounded down.
    pub(crate) fn most_in(&self, window: Duration) -> u64 {
        let refill =
            window.as_nanos().saturating_mul(u128::from(self.limit)) / u128::from(self.period);
        u64::try_from(refill).unwrap_or(u64::MAX).saturating_add(self.burst)
    }

    /// Whether it must be timed on a clock that runs on while the machine is suspended.
    #[inline]
    pub(crate) const fn is_long(&self) -> bool {
        self.full.nanos >= LONG
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(limit: u64, burst: u64) -> BucketPlan {
        BucketPlan::new(limit, Duration::from_secs(1), burst).unwrap()
    }

    #[test]
    fn a_step_that_is_no_whole_number_of_nanoseconds_keeps_its_remainder() {
        let plan = plan(700_000, 1);
        let one = plan.time_of(1).unwrap();
        assert_eq!(one, Span { nanos: 1_428, part: 400_000 });
        assert_eq!(plan.time_of(700_000).unwrap(), Span { nanos: 1_000_000_000, part: 0 });
    }

    #[test]
    fn the_time_of_a_hostile_cost_does_not_wrap() {
        let daily = BucketPlan::new(1, Duration::from_secs(86_400), 10).unwrap();
        assert_eq!(daily.time_of(u64::MAX), None);
        assert_eq!(daily.time_of(213_505), None);
        assert_eq!(daily.time_of(213_503).unwrap().nanos, 213_503 * 86_400_000_000_000);
    }

    #[test]
    fn tokens_and_time_are_inverse() {
        for (limit, tokens) in [(3, 7), (700_000, 123_456), (999_999_937, 5), (1, 80)] {
            let plan = plan(limit, 1);
            assert_eq!(plan.tokens_in(plan.time_of(tokens).unwrap()), tokens);
        }
    }
}
