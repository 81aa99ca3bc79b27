//! What the pipeline says about itself, in-band.

use std::sync::{Arc, Mutex, PoisonError};

use obs_core::clock::{Clock, Instant};
use obs_core::metric::{Descriptor, Recorder, Unit};

use crate::ledger::{DropReason, Ledger};

/// Data points lost, without labels and by `Reason`.
pub const DROPPED: Descriptor =
    Descriptor::new("EmfDropped", Unit::Count, "Data points that could not be delivered");

/// Series that are being gathered.
pub const ACTIVE_SERIES: Descriptor =
    Descriptor::new("EmfActiveSeries", Unit::Count, "Series that are being gathered");

/// Bytes of lines handed over, which CloudWatch Logs bills.
pub const BYTES_PER_SECOND: Descriptor =
    Descriptor::new("EmfBytesPerSecond", Unit::BytesPerSecond, "Bytes of metric lines handed over");

/// Turns ledgers into metrics.
#[derive(Debug)]
pub(super) struct SelfMetrics {
    recorder: Arc<dyn Recorder>,
    clock: Clock,
    last: Mutex<(Ledger, u64, Instant)>,
}

impl SelfMetrics {
    pub(super) fn new(recorder: Arc<dyn Recorder>, clock: Clock) -> Self {
        let last = Mutex::new((Ledger::default(), 0, clock.now()));
        Self { recorder, clock, last }
    }

    /// Records what happened since the last call.
    pub(super) fn record(&self, ledger: Ledger, series: u64, bytes: u64) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let (before, bytes_before, then) = std::mem::replace(&mut *last, (ledger, bytes, now));
        drop(last);
        let dropped = ledger.dropped().saturating_sub(before.dropped());
        if dropped > 0 {
            self.recorder.counter(&DROPPED, &[]).add(dropped);
        }
        for reason in DropReason::ALL {
            let lost = ledger.dropped_for(reason).saturating_sub(before.dropped_for(reason));
            if lost > 0 {
                self.recorder.counter(&DROPPED, &[("Reason", reason.as_str())]).add(lost);
            }
        }
        self.recorder.gauge(&ACTIVE_SERIES, &[]).set(series as f64);
        let seconds = (now - then).as_secs_f64();
        if seconds > 0.0 {
            let rate = bytes.saturating_sub(bytes_before) as f64 / seconds;
            self.recorder.gauge(&BYTES_PER_SECOND, &[]).set(rate);
        }
    }
}
