//! One destination with its queue, its writer thread and its ledger.

use std::fmt;
use std::io::Write;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::queue::{Chunk, Queue};
use super::{Class, DropReason, Ledger};

pub(super) type Destination = Box<dyn Write + Send>;

/// A destination, and whether the last write to it stopped inside a line.
pub(super) struct Carrier {
    pub(super) destination: Destination,
    pub(super) torn: bool,
}

pub(super) struct Lane {
    pub(super) settings: Settings,
    state: Mutex<State>,
    /// Tells the writer that there is something to do.
    pub(super) work: Condvar,
    /// Tells those who wait in `flush` and `shutdown` that the writer got further.
    pub(super) progress: Condvar,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) capacity: usize,
    pub(super) high_water: usize,
    pub(super) flush_interval: Duration,
}

pub(super) struct State {
    pub(super) queue: Queue,
    pub(super) ledger: Ledger,
    pub(super) phase: Phase,
    pub(super) writer: Writer,
    /// Lines in the chunk that is being written.
    in_flight: Vec<(u32, Class)>,
    /// Lines that have found their fate, and the count up to which somebody waits.
    settled: u64,
    flush_target: u64,
    enqueued: u64,
    pub(super) last_error: Option<String>,
}

pub(super) enum Phase {
    Open,
    /// Shutting down: the writer leaves as soon as nothing waits.
    Closing,
    /// Shut down in time; lines that still come are written by a thread that brings one. `None`
    /// while one does so.
    Closed(Option<Carrier>),
    /// Shut down without waiting for the destination, which may still hold the writer thread.
    Abandoned,
}

/// What the writer thread does now; says whether a new line must wake it.
pub(super) enum Writer {
    /// Started by the first line.
    NotStarted(Carrier),
    /// Waits without a time limit.
    Parked,
    /// Waits for the flush interval to pass.
    Collecting,
    /// Takes what waits without being told.
    Busy,
}

impl Lane {
    pub(super) fn new(settings: Settings, destination: Destination) -> Self {
        let mut ledger = Ledger::default();
        ledger.capacity_bytes = settings.capacity;
        let state = State {
            queue: Queue::default(),
            ledger,
            phase: Phase::Open,
            writer: Writer::NotStarted(Carrier { destination, torn: false }),
            in_flight: Vec::with_capacity(256),
            settled: 0,
            flush_target: 0,
            enqueued: 0,
            last_error: None,
        };
        Self { settings, state: Mutex::new(state), work: Condvar::new(), progress: Condvar::new() }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn sampled_out(&self, lines: u64) {
        let mut state = self.lock();
        state.ledger.created += lines;
        state.ledger.sampled_out += lines;
    }

    pub(super) fn dropped(&self, class: Class, reason: DropReason, lines: u64) {
        let mut state = self.lock();
        state.ledger.created += lines;
        state.ledger.add_dropped(class, reason, lines);
    }

    pub(super) fn ledger(&self) -> Ledger {
        self.lock().ledger
    }

    pub(super) fn flush(&self, limit: Duration) -> bool {
        let mut state = self.lock();
        let target = state.enqueued;
        state.flush_target = state.flush_target.max(target);
        self.work.notify_one();
        let (state, _) = self
            .progress
            .wait_timeout_while(state, limit, |state| state.settled < target)
            .unwrap_or_else(PoisonError::into_inner);
        state.settled >= target
    }

    /// Asks the writer to write out what waits and to stop.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        if matches!(state.phase, Phase::Open) {
            state.close();
            drop(state);
            self.work.notify_one();
        }
    }

    /// Waits until the writer has stopped, or leaves it behind when `limit` has passed; `true`
    /// when it wrote everything it could.
    pub(super) fn join(&self, limit: Duration) -> bool {
        let state = self.lock();
        let (mut state, _) = self
            .progress
            .wait_timeout_while(state, limit, |state| matches!(state.phase, Phase::Closing))
            .unwrap_or_else(PoisonError::into_inner);
        if matches!(state.phase, Phase::Closing) {
            state.abandon();
            drop(state);
            self.work.notify_one();
            self.progress.notify_all();
            return false;
        }
        matches!(state.phase, Phase::Closed(_))
    }
}

impl State {
    pub(super) fn enqueue(&mut self, class: Class, line: &[u8]) {
        self.ledger.queued_bytes += self.queue.push(class, line);
        self.enqueued += 1;
        self.ledger.queued += 1;
    }

    /// Whether the writer must not wait for more lines.
    pub(super) fn is_urgent(&self, high_water: usize) -> bool {
        self.ledger.queued_bytes >= high_water
            || self.flush_target > self.settled
            || !matches!(self.phase, Phase::Open)
    }

    pub(super) fn is_abandoned(&self) -> bool {
        matches!(self.phase, Phase::Abandoned)
    }

    /// Hands out the next chunk and remembers what is in it.
    pub(super) fn next_chunk(&mut self) -> Option<Chunk> {
        let chunk = self.queue.pop()?;
        self.in_flight.clear();
        self.in_flight.extend_from_slice(&chunk.lines);
        Some(chunk)
    }

    /// Books a chunk of which the destination took the first `taken` bytes.
    pub(super) fn settle(&mut self, chunk: Chunk, taken: usize) {
        self.in_flight.clear();
        for &(end, class) in &chunk.lines {
            if end as usize <= taken {
                self.ledger.written += 1;
            } else {
                self.ledger.add_dropped(class, DropReason::WriteError, 1);
            }
        }
        let lines = chunk.lines.len() as u64;
        self.settled += lines;
        self.ledger.queued -= lines;
        self.ledger.queued_bytes = self.ledger.queued_bytes.saturating_sub(chunk.bytes.len());
        self.queue.recycle(chunk);
    }

    fn close(&mut self) {
        self.phase = match std::mem::replace(&mut self.writer, Writer::Busy) {
            Writer::NotStarted(carrier) => Phase::Closed(Some(carrier)),
            _ => Phase::Closing,
        };
    }

    /// Counts everything that is not written as lost; the writer must not count it again.
    pub(super) fn abandon(&mut self) {
        self.phase = Phase::Abandoned;
        let mut lost = std::mem::take(&mut self.in_flight);
        while let Some(chunk) = self.queue.pop() {
            lost.extend_from_slice(&chunk.lines);
        }
        for &(_, class) in &lost {
            self.ledger.add_dropped(class, DropReason::ShutdownDeadline, 1);
        }
        self.settled = self.enqueued;
        self.ledger.queued = 0;
        self.ledger.queued_bytes = 0;
    }
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("settings", &self.settings).finish_non_exhaustive()
    }
}
