use std::sync::atomic::{AtomicU64, Ordering};

use crate::clock::Clock;
use crate::config::ConfigError;
use crate::id::TraceId;

use super::ratio::Ratio;

/// So many traces each second, and a share of the others.
#[derive(Debug)]
pub(super) struct RateLimited {
    clock: Clock,
    /// Nanoseconds that one trace costs.
    cost: u64,
    /// The time until which the budget is spent, in nanoseconds of the monotonic clock (the
    /// "theoretical arrival time" of the generic cell rate algorithm).
    spent_until: AtomicU64,
    beyond: Ratio,
}

const SECOND: u64 = 1_000_000_000;

impl RateLimited {
    pub(super) fn new(per_second: u32, beyond: f64, clock: Clock) -> Result<Self, ConfigError> {
        if !(1..=1_000_000).contains(&per_second) {
            let rule = "must be between 1 and 1000000";
            return Err(ConfigError::new("per_second", per_second, rule));
        }
        let beyond = Ratio::new(beyond)?;
        let cost = SECOND / u64::from(per_second);
        Ok(Self { clock, cost, spent_until: AtomicU64::new(0), beyond })
    }

    pub(super) fn admits(&self, trace_id: TraceId) -> bool {
        self.take() || self.beyond.admits(trace_id)
    }

    fn take(&self) -> bool {
        let now = self.clock.now().as_nanos();
        // Relaxed: the value is the whole state, nothing else is published with it.
        self.spent_until
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |spent| {
                let next = spent.max(now).saturating_add(self.cost);
                (next <= now.saturating_add(SECOND)).then_some(next)
            })
            .is_ok()
    }
}
