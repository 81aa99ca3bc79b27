//! What a limit says: how much, in which time, counted how.
//!
//! | quota | most that one key gets in any span of one period | state |
//! |---|---|---|
//! | [`Quota::rate`] | `burst + limit` (GCRA, a token bucket) | 16 bytes |
//! | [`Quota::every`] | `burst + 1` | 16 bytes |
//! | [`Quota::strict`] | `limit`, never more | 16 bytes |
//! | [`Quota::fixed_window`] | `2 * limit`, straddling a boundary | 40 bytes |
//! | [`Quota::sliding_window`] | less than `2 * limit`, about `limit` for steady traffic | 40 bytes |
//! | [`Quota::calendar`] | `limit` in each UTC day or month, `2 * limit` straddling | 40 bytes |
//! | [`Quota::concurrency`] | no time: `limit` at once | 8 bytes |

mod bucket;
mod calendar;
mod shared;
mod window;

use std::time::Duration;

use obs_core::config::ConfigError;

pub(crate) use bucket::{BucketPlan, Span};
pub use calendar::CalendarUnit;
pub(crate) use calendar::civil_date;
pub(crate) use shared::SharedPlan;
pub(crate) use window::{WindowPlan, WindowSpan};

/// The longest period and the longest time to refill a bucket: 100 years of 365 days.
pub const MAX_PERIOD: Duration = Duration::from_secs(100 * 365 * 86_400);

/// How much a key may use in which time.
///
/// A quota is plain data; it is checked when the policy that uses it is built. All arithmetic on
/// it is exact: a period that is not a whole number of nanoseconds per request keeps the
/// remainder, so that neither side gains by rounding.
///
/// ```
/// use std::time::Duration;
/// use obs_ratelimit::Quota;
///
/// // 100 requests a second in the long run, 200 at once after a pause.
/// let quota = Quota::per_second(100).burst(200);
/// assert_eq!(quota.capacity(), 200);
/// assert_eq!(quota.most_in(Duration::from_secs(1)), Some(300));
///
/// // Never more than 100 in any second, 20 of them at once.
/// let strict = Quota::strict(100, Duration::from_secs(1), 20);
/// assert_eq!(strict.most_in(Duration::from_secs(1)), Some(100));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quota(Shape);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Shape {
    Bucket { limit: u64, period: Duration, burst: u64 },
    Strict { limit: u64, period: Duration, burst: u64 },
    FixedWindow { limit: u64, period: Duration },
    SlidingWindow { limit: u64, period: Duration },
    Calendar { limit: u64, unit: CalendarUnit },
    Concurrency { limit: u64 },
}

impl Quota {
    /// `limit` requests per `period` in the long run, by GCRA; the burst is `limit` until
    /// [`burst`](Self::burst) sets another.
    ///
    /// `limit` is at least 1 and at most one request per nanosecond.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use obs_ratelimit::{CalendarUnit, Quota};
    ///
    /// let minute = Duration::from_secs(60);
    /// assert_eq!(Quota::rate(60, minute), Quota::per_minute(60));
    /// assert_eq!(Quota::per_hour(10).capacity(), 10);
    /// assert_eq!(Quota::every(Duration::from_secs(5)).capacity(), 1);
    /// assert_eq!(Quota::fixed_window(100, minute).capacity(), 100);
    /// assert_eq!(Quota::sliding_window(100, minute).capacity(), 100);
    /// assert_eq!(Quota::calendar(1_000, CalendarUnit::Day).capacity(), 1_000);
    /// assert_eq!(Quota::concurrency(5).capacity(), 5);
    /// ```
    #[must_use]
    pub const fn rate(limit: u64, period: Duration) -> Self {
        Self(Shape::Bucket { limit, period, burst: limit })
    }

    /// `limit` requests per second: [`rate`](Self::rate) with a period of 1 s.
    #[must_use]
    pub const fn per_second(limit: u64) -> Self {
        Self::rate(limit, Duration::from_secs(1))
    }

    /// `limit` requests per minute: [`rate`](Self::rate) with a period of 60 s.
    #[must_use]
    pub const fn per_minute(limit: u64) -> Self {
        Self::rate(limit, Duration::from_secs(60))
    }

    /// `limit` requests per hour: [`rate`](Self::rate) with a period of 3,600 s.
    #[must_use]
    pub const fn per_hour(limit: u64) -> Self {
        Self::rate(limit, Duration::from_secs(3_600))
    }

    /// One request in each `interval`, with a burst of 1.
    #[must_use]
    pub const fn every(interval: Duration) -> Self {
        Self::rate(1, interval)
    }

    /// Never more than `limit` requests in any span of one `period`, up to `burst` of them at
    /// once.
    ///
    /// It is a bucket of `burst` that refills at `(limit - burst) / period`: the price of the
    /// promise is the lower rate in the long run. `burst` is at least 1 and below `limit`.
    #[must_use]
    pub const fn strict(limit: u64, period: Duration, burst: u64) -> Self {
        Self(Shape::Strict { limit, period, burst })
    }

    /// `limit` requests in each window of `period`; windows are aligned to the Unix epoch, so
    /// that a fleet agrees on them.
    #[must_use]
    pub const fn fixed_window(limit: u64, period: Duration) -> Self {
        Self(Shape::FixedWindow { limit, period })
    }

    /// About `limit` requests in any span of `period`: the count of the window that ended is
    /// weighted by the part of it that the span still covers.
    #[must_use]
    pub const fn sliding_window(limit: u64, period: Duration) -> Self {
        Self(Shape::SlidingWindow { limit, period })
    }

    /// `limit` requests in each calendar day or month, in UTC.
    #[must_use]
    pub const fn calendar(limit: u64, unit: CalendarUnit) -> Self {
        Self(Shape::Calendar { limit, unit })
    }

    /// `limit` requests at the same time; a place is free again when the response body has ended.
    #[must_use]
    pub const fn concurrency(limit: u64) -> Self {
        Self(Shape::Concurrency { limit })
    }

    /// Sets how many requests may come at once after a pause: the capacity of the bucket. Default
    /// `limit` for a rate.
    ///
    /// It applies to [`rate`](Self::rate), [`every`](Self::every) and [`strict`](Self::strict);
    /// the other quotas have no burst and stay as they are. At least 1.
    #[must_use]
    pub const fn burst(self, burst: u64) -> Self {
        Self(match self.0 {
            Shape::Bucket { limit, period, .. } => Shape::Bucket { limit, period, burst },
            Shape::Strict { limit, period, .. } => Shape::Strict { limit, period, burst },
            other => other,
        })
    }

    /// The most that can be used at one instant: `q` of the `RateLimit-Policy` header.
    #[must_use]
    pub const fn capacity(&self) -> u64 {
        match self.0 {
            Shape::Bucket { burst, .. } | Shape::Strict { burst, .. } => burst,
            Shape::FixedWindow { limit, .. }
            | Shape::SlidingWindow { limit, .. }
            | Shape::Calendar { limit, .. }
            | Shape::Concurrency { limit } => limit,
        }
    }

    /// The most that one key is admitted in any span of `window`, on one node with a local limit.
    ///
    /// The span is one of the limiter's clock, which for limits of a second and more is the kernel's
    /// tick: at most 10 ms late, never early.
    ///
    /// `None` for concurrency, which bounds no amount per time, and for a quota that cannot be
    /// built. Saturates at `u64::MAX`.
    #[must_use]
    pub fn most_in(&self, window: Duration) -> Option<u64> {
        match self.plan().ok()? {
            Plan::Bucket(plan) => Some(plan.most_in(window)),
            Plan::Window(plan) => Some(plan.most_in(window)),
            Plan::Concurrency(_) => None,
        }
    }

    /// The checked form that the algorithms compute with.
    pub(crate) fn plan(&self) -> Result<Plan, ConfigError> {
        match self.0 {
            Shape::Bucket { limit, period, burst } => {
                BucketPlan::new(limit, period, burst).map(Plan::Bucket)
            }
            Shape::Strict { limit, period, burst } => {
                if burst >= limit {
                    let rule = format!("must be below the limit, {limit}");
                    return Err(ConfigError::new("burst", burst, rule));
                }
                BucketPlan::new(limit - burst, period, burst)
                    .map(|plan| Plan::Bucket(plan.strict()))
            }
            Shape::FixedWindow { limit, period } => {
                WindowPlan::new(limit, WindowSpan::fixed(period)?).map(Plan::Window)
            }
            Shape::SlidingWindow { limit, period } => {
                WindowPlan::new(limit, WindowSpan::sliding(period)?).map(Plan::Window)
            }
            Shape::Calendar { limit, unit } => {
                WindowPlan::new(limit, WindowSpan::Calendar(unit)).map(Plan::Window)
            }
            Shape::Concurrency { limit } => match limit {
                0 => Err(ConfigError::new("limit", 0, "must be at least 1")),
                _ => Ok(Plan::Concurrency(limit)),
            },
        }
    }
}

/// A checked quota, by the algorithm that decides it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Plan {
    Bucket(BucketPlan),
    Window(WindowPlan),
    Concurrency(u64),
}

/// A period in nanoseconds, at least 1 and at most [`MAX_PERIOD`].
fn period_nanos(period: Duration) -> Result<u64, ConfigError> {
    if period.is_zero() || period > MAX_PERIOD {
        let rule = "must be above 0 and at most 100 years";
        return Err(ConfigError::new("period", format_args!("{period:?}"), rule));
    }
    Ok(u64::try_from(period.as_nanos()).expect("100 years of nanoseconds fit 62 bits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_quota_that_makes_no_sense_is_refused_with_its_field_and_value() {
        for (quota, field) in [
            (Quota::per_second(0), "limit"),
            (Quota::per_second(1).burst(0), "burst"),
            (Quota::rate(1, Duration::ZERO), "period"),
            (Quota::rate(1, MAX_PERIOD * 2), "period"),
            (Quota::per_second(1_000_000_001), "limit"),
            (Quota::rate(1, MAX_PERIOD).burst(2), "burst"),
            (Quota::strict(10, SECOND, 10), "burst"),
            (Quota::strict(10, SECOND, 0), "burst"),
            (Quota::fixed_window(0, SECOND), "limit"),
            (Quota::sliding_window(1, Duration::ZERO), "period"),
            (Quota::calendar(0, CalendarUnit::Month), "limit"),
            (Quota::concurrency(0), "limit"),
        ] {
            assert_eq!(quota.plan().unwrap_err().field(), field, "{quota:?}");
        }
    }

    #[test]
    fn the_documented_constants_hold_for_one_period() {
        for (quota, most) in [
            (Quota::per_second(100), 200),
            (Quota::per_second(100).burst(200), 300),
            (Quota::every(SECOND), 2),
            (Quota::strict(100, SECOND, 20), 100),
            (Quota::fixed_window(100, SECOND), 200),
            (Quota::sliding_window(100, SECOND), 199),
        ] {
            assert_eq!(quota.most_in(SECOND), Some(most), "{quota:?}");
        }
        assert_eq!(Quota::concurrency(5).most_in(SECOND), None);
    }
}
