//! What a breaker counts for metrics and operators.

use super::sync::AtomicU64;
use crate::metric::{Counter, Gauge};

/// The counters and gauges of one breaker.
#[derive(Debug, Default)]
pub(super) struct Series {
    pub(super) success: Counter,
    pub(super) failure: Counter,
    pub(super) slow: Counter,
    pub(super) ignored: Counter,
    pub(super) not_permitted: Counter,
    pub(super) states: [Gauge; 6],
}

/// Totals since the start that are not on the path of a healthy call.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) failed: AtomicU64,
    pub(super) slow: AtomicU64,
    pub(super) ignored: AtomicU64,
    pub(super) not_permitted: AtomicU64,
    pub(super) outdated: AtomicU64,
}

impl Counts {
    pub(super) fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            failed: zero(),
            slow: zero(),
            ignored: zero(),
            not_permitted: zero(),
            outdated: zero(),
        }
    }
}
