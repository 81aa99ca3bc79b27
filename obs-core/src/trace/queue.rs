use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::log::Redactor;

use super::exporter::{ExportReport, SpanExporter};
use super::ledger::{DropCounts, DropReason};
use super::record::SpanRecord;
use super::redact::redact;
use super::settings::BatchSettings;

/// The bounded queue between those who end spans and the one thread that exports them.
#[derive(Debug)]
pub(super) struct Queue {
    settings: BatchSettings,
    state: Mutex<State>,
    /// The thread waits here for work.
    work: Condvar,
    /// Those who flush or shut down wait here for the thread.
    settled: Condvar,
}

/// A finished span, or what makes one of it on the exporter's thread.
#[allow(clippy::large_enum_variant, reason = "a box would be one more allocation for each span")]
pub(super) enum Finished {
    Record(SpanRecord),
    Later(Box<dyn FnOnce() -> SpanRecord + Send>),
}

impl Finished {
    fn into_record(self) -> SpanRecord {
        match self {
            Self::Record(span) => span,
            Self::Later(make) => make(),
        }
    }
}

impl fmt::Debug for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(span) => span.fmt(f),
            Self::Later(_) => f.write_str("Later"),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct State {
    waiting: Vec<Finished>,
    on_their_way: u64,
    /// Spans that entered the queue, and those of them whose fate is known.
    accepted: u64,
    done: u64,
    /// Send what waits up to this count of `accepted` without waiting for a full batch.
    flush_to: u64,
    closed: bool,
    finished: bool,
    /// Shutting down took too long: what the thread still reports is not counted again.
    abandoned: bool,
    /// Replaces `export_timeout` once the tracer shuts down.
    limit: Option<Duration>,
    pub(super) created: u64,
    pub(super) upgraded: u64,
    pub(super) exported: u64,
    pub(super) dropped: DropCounts,
    pub(super) last_error: Option<String>,
}

impl State {
    pub(super) const fn pending(&self) -> u64 {
        self.accepted - self.done
    }

    fn settle(&mut self, report: ExportReport) {
        let count = self.on_their_way;
        self.on_their_way = 0;
        if self.abandoned {
            return;
        }
        let report = report.settle(count);
        self.done += count;
        self.exported += report.exported;
        for (reason, count) in report.dropped.iter() {
            self.dropped.add(reason, count);
        }
        if report.error.is_some() {
            self.last_error = report.error;
        }
    }

    /// Counts what waits as lost and hands it back, to be dropped without the lock.
    fn abandon(&mut self) -> Vec<Finished> {
        self.abandoned = true;
        let lost = self.pending();
        self.done += lost;
        self.dropped.add(DropReason::Shutdown, lost);
        mem::take(&mut self.waiting)
    }
}

impl Queue {
    pub(super) fn new(settings: BatchSettings) -> Self {
        Self { settings, state: Mutex::default(), work: Condvar::new(), settled: Condvar::new() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // No code of others runs under the lock, so a poisoned state is still a whole one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether no span waits for others.
    const fn is_eager(&self) -> bool {
        self.settings.schedule_delay.is_zero()
    }

    /// Takes a finished span, or counts why not. The lock is held for a move of the record.
    pub(super) fn push(&self, span: Finished, upgraded: bool) {
        let mut state = self.state();
        state.created += 1;
        state.upgraded += u64::from(upgraded);
        if state.closed {
            state.dropped.add(DropReason::Shutdown, 1);
        } else if state.waiting.len() >= self.settings.max_queue_size {
            state.dropped.add(DropReason::QueueFull, 1);
        } else {
            state.waiting.push(span);
            state.accepted += 1;
            // Only the span that completes a batch wakes the thread; the others wait for its timer,
            // if there is one.
            if state.waiting.len() == self.settings.max_export_batch_size || self.is_eager() {
                drop(state);
                self.work.notify_one();
            }
        }
    }

    /// Waits until what was accepted so far has met its fate. `false` if `limit` passed before.
    pub(super) fn flush(&self, limit: Duration) -> bool {
        let mut state = self.state();
        let target = state.accepted;
        state.flush_to = state.flush_to.max(target);
        self.work.notify_one();
        let (state, _) = self
            .settled
            .wait_timeout_while(state, limit, |state| state.done < target && !state.finished)
            .unwrap_or_else(PoisonError::into_inner);
        state.done >= target
    }

    /// Ends the thread after what waits is exported. `false` if `limit` passed before: what had no
    /// fate by then counts as dropped.
    pub(super) fn shutdown(&self, limit: Duration) -> bool {
        let mut state = self.state();
        state.closed = true;
        state.limit = Some(state.limit.map_or(limit, |earlier| earlier.min(limit)));
        self.work.notify_one();
        let (mut state, _) = self
            .settled
            .wait_timeout_while(state, limit, |state| !state.finished && !state.abandoned)
            .unwrap_or_else(PoisonError::into_inner);
        let mut lost = Vec::new();
        if !state.finished && !state.abandoned {
            lost = state.abandon();
            self.settled.notify_all();
        }
        let in_time = !state.abandoned;
        drop(state);
        drop(lost);
        in_time
    }

    /// Lets the thread export what waits and end, without waiting for it.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.work.notify_one();
    }

    /// The thread's work, until the queue is closed and empty.
    pub(super) fn run(self: &Arc<Self>, mut exporter: Box<dyn SpanExporter>, redactor: &Redactor) {
        let mut batch = Vec::with_capacity(self.settings.max_export_batch_size);
        let mut spans = Vec::with_capacity(batch.capacity());
        while let Some(limit) = self.next_batch(&mut batch) {
            let count = batch.len();
            let report = catch_unwind(AssertUnwindSafe(|| {
                spans.extend(batch.drain(..).map(Finished::into_record));
                spans.iter_mut().for_each(|span| redact(span, redactor));
                exporter.export(&spans, limit)
            }))
            .unwrap_or_else(|_| {
                let reason = DropReason::ExporterFault;
                ExportReport::new().dropped(reason, count, "the exporter panicked")
            });
            spans.clear();
            self.state().settle(report);
            self.settled.notify_all();
        }
        let limit = self.state().limit.unwrap_or(self.settings.export_timeout);
        // A panic while ending connections has nobody to harm: every span has its fate by now.
        let _ = catch_unwind(AssertUnwindSafe(|| exporter.shutdown(limit)));
        let _ = catch_unwind(AssertUnwindSafe(|| drop(exporter)));
        self.state().finished = true;
        self.settled.notify_all();
    }

    /// Waits for a full batch, a flush, the timer or the end; the time the batch may take.
    fn next_batch(&self, batch: &mut Vec<Finished>) -> Option<Duration> {
        let mut state = self.state();
        loop {
            let due = |state: &State| {
                state.waiting.len() >= self.settings.max_export_batch_size
                    || state.flush_to > state.done
                    || state.closed
                    || (self.is_eager() && !state.waiting.is_empty())
            };
            let pause = if self.is_eager() {
                Duration::from_secs(60)
            } else {
                self.settings.schedule_delay
            };
            let (next, _) = self
                .work
                .wait_timeout_while(state, pause, |state| !due(state))
                .unwrap_or_else(PoisonError::into_inner);
            state = next;
            if state.abandoned || (state.closed && state.waiting.is_empty()) {
                return None;
            }
            if !state.waiting.is_empty() {
                break;
            }
        }
        let count = state.waiting.len().min(self.settings.max_export_batch_size);
        batch.extend(state.waiting.drain(..count));
        state.on_their_way = count as u64;
        Some(state.limit.unwrap_or(self.settings.export_timeout))
    }
}
