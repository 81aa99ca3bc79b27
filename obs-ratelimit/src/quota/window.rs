use std::time::Duration;

use obs_core::config::ConfigError;

use super::{CalendarUnit, period_nanos};

/// A count per window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WindowPlan {
    pub(crate) limit: u64,
    pub(crate) span: WindowSpan,
}

/// Where windows begin and end, in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WindowSpan {
    Fixed(u64),
    Sliding(u64),
    Calendar(CalendarUnit),
}

impl WindowSpan {
    pub(crate) fn fixed(period: Duration) -> Result<Self, ConfigError> {
        period_nanos(period).map(Self::Fixed)
    }

    pub(crate) fn sliding(period: Duration) -> Result<Self, ConfigError> {
        period_nanos(period).map(Self::Sliding)
    }
}

impl WindowPlan {
    pub(crate) fn new(limit: u64, span: WindowSpan) -> Result<Self, ConfigError> {
        match limit {
            0 => Err(ConfigError::new("limit", 0, "must be at least 1")),
            _ => Ok(Self { limit, span }),
        }
    }

    /// Start and end of the window around `now`.
    pub(crate) fn bounds(&self, now: u64) -> (u64, u64) {
        match self.span {
            WindowSpan::Fixed(period) | WindowSpan::Sliding(period) => {
                let start = now - now % period;
                (start, start.saturating_add(period))
            }
            WindowSpan::Calendar(unit) => unit.bounds(now),
        }
    }

    pub(crate) const fn is_sliding(&self) -> bool {
        matches!(self.span, WindowSpan::Sliding(_))
    }

    /// Every window that a span of this length can touch may be used in full; the sliding
    /// counter takes back at least one of two full windows.
    pub(crate) fn most_in(&self, window: Duration) -> u64 {
        let period = match self.span {
            WindowSpan::Fixed(period) | WindowSpan::Sliding(period) => u128::from(period),
            WindowSpan::Calendar(CalendarUnit::Day) => 86_400_000_000_000,
            // The shortest month has 28 days.
            WindowSpan::Calendar(CalendarUnit::Month) => 28 * 86_400_000_000_000,
        };
        let touched = window.as_nanos().div_ceil(period) + 1;
        let most = touched.saturating_mul(u128::from(self.limit));
        let weighed = self.is_sliding() && touched > 1;
        let most = if weighed { most.saturating_sub(1) } else { most };
        u64::try_from(most).unwrap_or(u64::MAX)
    }
}
