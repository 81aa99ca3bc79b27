//! `PutMetricData`: metrics without logs.
//!
//! For metrics that need no line of their own, at $0.01 for 1,000 calls. Records are gathered for
//! a second, merged by series and minute, and sent in calls of at most 1,000 metrics, each with at
//! most 150 values.
//!
//! ```
//! use obs_core::clock::Clock;
//! use obs_core::id::IdGenerator;
//! use obs_emf::cloudwatch::CloudWatchSink;
//!
//! fn sink(client: aws_sdk_cloudwatch::Client) -> Result<CloudWatchSink, obs_core::config::ConfigError> {
//!     CloudWatchSink::new(client, Clock::system(), IdGenerator::system())
//! }
//! ```

mod datum;
mod send;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use datum::Datum;
use obs_core::clock::Clock;
use obs_core::config::ConfigError;
use obs_core::id::IdGenerator;
use send::{Api, Sender};

use crate::encode::Record;
use crate::ledger::{DropReason, Ledger, SharedLedger};
use crate::sink::Sink;

/// So many data may wait; each is one metric with one dimension set.
const MAX_WAITING: usize = 20_000;
/// How long records gather before they are sent.
const LINGER: Duration = Duration::from_secs(1);

/// Sends metrics by `PutMetricData`.
///
/// Each datum is checked before it is sent, because one that CloudWatch refuses fails the whole
/// call; a call that is refused for its data all the same is halved until the culprit is alone.
/// Throttled calls are repeated, five attempts in all, after pauses of 200 ms that double, with
/// jitter. At most 20,000 data wait; what comes then is lost and counted. Fields and properties of
/// records are not sent.
///
/// Shut it down before the process ends: a sink that is dropped sends what waits in the
/// background, as long as there is one.
///
/// ```no_run
/// use aws_sdk_cloudwatch::Client;
/// use obs_core::clock::Clock;
/// use obs_core::id::IdGenerator;
/// use obs_emf::cloudwatch::CloudWatchSink;
///
/// # fn example(client: Client) -> Result<(), obs_core::config::ConfigError> {
/// let sink = CloudWatchSink::new(client, Clock::system(), IdGenerator::system())?;
/// # Ok(())
/// # }
/// ```
pub struct CloudWatchSink(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    clock: Clock,
    ledger: SharedLedger,
}

#[derive(Default)]
struct State {
    waiting: Vec<Datum>,
    /// How many points the data being sent stand for.
    sending: u64,
    /// Data handed in so far, and those that have found their fate.
    accepted: u64,
    settled: u64,
    flush_asked: bool,
    closed: bool,
    /// The thread has sent everything after the close.
    finished: bool,
    /// What the thread was sending has been counted as lost.
    abandoned: bool,
}

impl CloudWatchSink {
    /// A sink that sends through `client`, from a thread of its own with a runtime of its own.
    ///
    /// # Errors
    /// [`ConfigError`] when the system has no thread or no runtime to give.
    pub fn new(
        client: aws_sdk_cloudwatch::Client,
        clock: Clock,
        ids: IdGenerator,
    ) -> Result<Self, ConfigError> {
        Self::start(client, clock, ids)
    }

    fn start(api: impl Api, clock: Clock, ids: IdGenerator) -> Result<Self, ConfigError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| ConfigError::new("cloudwatch", error, "must have a runtime"))?;
        let (state, changed) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { state, changed, clock, ledger: SharedLedger::default() });
        let worker = shared.clone();
        std::thread::Builder::new()
            .name("obs-emf-cloudwatch".to_owned())
            .spawn(move || worker.run(&runtime, &Sender::new(api, ids)))
            .map_err(|error| ConfigError::new("cloudwatch", error, "must have a thread"))?;
        Ok(Self(shared))
    }
}

impl Sink for CloudWatchSink {
    fn emit(&self, record: &Record<'_>) {
        let mut ledger = Ledger::default();
        let data = datum::data_of(record, self.0.clock.wall(), &mut ledger);
        let points: u64 = data.iter().map(|datum| datum.points).sum();
        let mut state = self.0.lock();
        if state.closed {
            ledger.drop_points(DropReason::Closed, points);
        } else if state.waiting.len() + data.len() > MAX_WAITING {
            ledger.drop_points(DropReason::QueueFull, points);
        } else {
            state.accepted += data.len() as u64;
            state.waiting.extend(data);
            self.0.changed.notify_all();
        }
        self.0.ledger.add(&ledger);
    }

    fn flush(&self, limit: Duration) -> bool {
        let mut state = self.0.lock();
        let target = state.accepted;
        state.flush_asked = !state.waiting.is_empty();
        self.0.changed.notify_all();
        let (state, _) = self
            .0
            .changed
            .wait_timeout_while(state, limit, |state| state.settled < target)
            .unwrap_or_else(PoisonError::into_inner);
        state.settled >= target
    }

    fn shutdown(&self, limit: Duration) -> bool {
        let mut state = self.0.lock();
        state.closed = true;
        self.0.changed.notify_all();
        let (mut state, _) = self
            .0
            .changed
            .wait_timeout_while(state, limit, |state| !state.finished && !state.abandoned)
            .unwrap_or_else(PoisonError::into_inner);
        if !state.finished && !state.abandoned {
            state.abandoned = true;
            state.settled = state.accepted;
            let waiting: u64 = state.waiting.drain(..).map(|datum| datum.points).sum();
            let mut ledger = Ledger::default();
            ledger.drop_points(DropReason::Closed, waiting + std::mem::take(&mut state.sending));
            self.0.ledger.add(&ledger);
        }
        !state.abandoned
    }

    fn ledger(&self) -> Ledger {
        self.0.ledger.read()
    }
}

impl Drop for CloudWatchSink {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn run(&self, runtime: &tokio::runtime::Runtime, sender: &Sender<impl Api>) {
        while let Some(data) = self.next_batch() {
            let batch = data.len() as u64;
            for call in datum::calls(datum::merge(data)) {
                let fates = runtime.block_on(sender.send(call));
                let mut state = self.lock();
                if !state.abandoned {
                    state.sending = state.sending.saturating_sub(fates.emitted + fates.dropped());
                    self.ledger.add(&fates);
                }
            }
            let mut state = self.lock();
            state.settled = state.accepted.min(state.settled + batch);
            self.changed.notify_all();
        }
        self.lock().finished = true;
        self.changed.notify_all();
    }

    /// Waits for data and lets them gather; `None` when there will be none any more.
    fn next_batch(&self) -> Option<Vec<Datum>> {
        let is_idle = |state: &mut State| state.waiting.is_empty() && !state.closed;
        let state = self.lock();
        let state = self.changed.wait_while(state, is_idle).unwrap_or_else(PoisonError::into_inner);
        let gathers = |state: &mut State| !state.flush_asked && !state.closed;
        let (mut state, _) = self
            .changed
            .wait_timeout_while(state, LINGER, gathers)
            .unwrap_or_else(PoisonError::into_inner);
        state.flush_asked = false;
        let data = std::mem::take(&mut state.waiting);
        if data.is_empty() {
            return (!state.closed).then(Vec::new);
        }
        state.sending = data.iter().map(|datum| datum.points).sum();
        Some(data)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CloudWatchSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CloudWatchSink").finish_non_exhaustive()
    }
}
