use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use obs_core::clock::Instant;
use obs_core::deadline::Deadline;
use obs_core::telemetry::Telemetry;

/// How long an answer waits for what must be written before it, at most.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);

/// Flushes a telemetry at the end of invocations.
#[derive(Clone, Debug)]
pub(super) struct Flusher {
    telemetry: Telemetry,
    limit: Duration,
    /// When the last answer was given, in nanoseconds; 0 before the first.
    answered: Arc<AtomicU64>,
}

impl Flusher {
    pub(super) fn new(telemetry: Telemetry) -> Self {
        Self { telemetry, limit: FLUSH_LIMIT, answered: Arc::default() }
    }

    /// An invocation begins: the environment may have been frozen since the last answer, and work
    /// left over from then is no slower.
    pub(super) fn resume(&self) {
        let answered = self.answered.load(Ordering::Relaxed);
        if answered != 0 {
            let clock = self.telemetry.clock();
            clock.note_frozen(Instant::from_nanos(answered), clock.now());
        }
    }

    pub(super) const fn set_limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    pub(super) const fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// The flush of an invocation that has until `deadline`.
    pub(super) fn until(&self, deadline: Option<Deadline>) -> Flush {
        Flush { flusher: self.clone(), deadline }
    }
}

/// Writes what an invocation has left, before the environment is frozen.
#[derive(Clone, Debug)]
pub(super) struct Flush {
    flusher: Flusher,
    deadline: Option<Deadline>,
}

impl Flush {
    /// Blocks until all is written, the limit is reached or the invocation has no time left; what
    /// was not done by then is written in the next invocation.
    pub(super) fn run(self) {
        let Flusher { telemetry, limit, answered } = &self.flusher;
        let now = telemetry.clock().now();
        let left = self.deadline.map_or(Duration::MAX, |deadline| deadline.remaining(now));
        let _ = telemetry.flush(left.min(*limit));
        answered.store(telemetry.clock().now().as_nanos(), Ordering::Relaxed);
    }
}
