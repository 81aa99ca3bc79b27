use std::time::Duration;

use crate::clock::{Instant, Timestamp};

/// What one client may record of one rule, before the rule's share counts.
#[derive(Debug, Default)]
pub(super) struct Reservoir {
    quota: Option<Quota>,
    borrowed_at: Option<Instant>,
}

#[derive(Debug)]
struct Quota {
    per_second: f64,
    until: Timestamp,
    /// Requests that may be recorded at once; never more than one second's worth.
    balance: f64,
    filled_at: Instant,
}

/// Why a request is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    FromQuota,
    Borrowed,
}

impl Reservoir {
    pub(super) fn grant(&mut self, per_second: f64, until: Timestamp, now: Instant) {
        let balance = match &self.quota {
            // What was gathered stays, so that a new grant is no second helping.
            Some(quota) => quota.filled(now).min(per_second),
            None => per_second,
        };
        self.quota = Some(Quota { per_second, until, balance, filled_at: now });
    }

    /// Takes one request from the quota; without a valid one, borrows one each second, unless the
    /// rule's reservoir is of size zero.
    pub(super) fn take(&mut self, size: u64, now: Instant, wall: Timestamp) -> Option<Taken> {
        if let Some(quota) = self.quota.as_mut().filter(|quota| wall < quota.until) {
            quota.balance = quota.filled(now);
            quota.filled_at = now;
            if quota.balance < 1.0 {
                return None;
            }
            quota.balance -= 1.0;
            return Some(Taken::FromQuota);
        }
        let may_borrow = size > 0
            && self.borrowed_at.is_none_or(|before| now - before >= Duration::from_secs(1));
        may_borrow.then(|| {
            self.borrowed_at = Some(now);
            Taken::Borrowed
        })
    }
}

impl Quota {
    fn filled(&self, now: Instant) -> f64 {
        let gathered = (now - self.filled_at).as_secs_f64() * self.per_second;
        (self.balance + gathered).min(self.per_second)
    }
}
