use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use tracing_core::callsite::Identifier;

use crate::clock::Instant;

/// Limits how many lines each call site writes.
///
/// Each has a bucket of its own, refilled evenly: the generic cell rate algorithm on one atomic.
#[derive(Debug)]
pub(crate) struct CallSites {
    interval: u64,
    /// How far ahead of the present a full burst reaches.
    tolerance: u64,
    sites: RwLock<HashMap<Identifier, Site>>,
}

#[derive(Debug, Default)]
struct Site {
    /// When the bucket will be full again, in nanoseconds.
    full_at: AtomicU64,
    suppressed: AtomicU64,
}

impl CallSites {
    pub(crate) fn new(burst: u32, per_second: u32) -> Self {
        let interval = 1_000_000_000 / u64::from(per_second.max(1));
        let tolerance = interval.saturating_mul(u64::from(burst.max(1)));
        Self { interval, tolerance, sites: RwLock::default() }
    }

    /// Lets a line pass and says how many before it were suppressed; `None` suppresses it.
    pub(crate) fn pass(&self, site: Identifier, now: Instant) -> Option<u64> {
        let sites = self.sites.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(site) = sites.get(&site) {
            return self.pass_at(site, now);
        }
        drop(sites);
        let mut sites = self.sites.write().unwrap_or_else(PoisonError::into_inner);
        self.pass_at(sites.entry(site).or_default(), now)
    }

    fn pass_at(&self, site: &Site, now: Instant) -> Option<u64> {
        let now = now.as_nanos();
        // Relaxed: each value stands alone, and the update is atomic by itself.
        let passed = site.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |full_at| {
            let next = full_at.max(now) + self.interval;
            (next <= now.saturating_add(self.tolerance)).then_some(next)
        });
        match passed {
            Ok(_) => Some(site.suppressed.swap(0, Ordering::Relaxed)),
            Err(_) => {
                site.suppressed.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }
}

/// A limit of `burst` lines at once and one more each `interval`, from `per_second`.
pub(super) fn is_valid(burst: u32, per_second: u32) -> bool {
    burst > 0 && per_second > 0 && Duration::from_secs(1).as_nanos() >= u128::from(per_second)
}
