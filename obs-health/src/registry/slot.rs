//! One dependency at work: its state, and the runs of its check.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use obs_core::clock::{Clock, Instant, Timestamp};
use obs_core::control::Health;
use obs_core::metric::{Counter, Descriptor, Gauge, Histogram, Recorder, Unit};

use super::dependency::Dependency;
use super::state::{State, Status};
use crate::check::Observation;

static UP: Descriptor =
    Descriptor::new("DependencyUp", Unit::None, "1 when a dependency passes, 0.5 on warn, 0 down");
static CHANGES: Descriptor =
    Descriptor::new("DependencyStateChanges", Unit::Count, "changes of how a dependency reads");
static DURATION: Descriptor =
    Descriptor::new("DependencyCheckDuration", Unit::Milliseconds, "time one run of a check took");

/// A dependency with its state.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) dependency: Dependency,
    state: Mutex<State>,
    /// Held while a run is under way: there is never a second one.
    running: tokio::sync::Mutex<()>,
    clock: Clock,
    up: Gauge,
    changes: Counter,
    duration: Histogram,
}

/// How a dependency reads now, for reports.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) name: Arc<str>,
    pub(crate) component_type: &'static str,
    pub(crate) is_required: bool,
    pub(crate) status: &'static str,
    pub(crate) circuit: &'static str,
    pub(crate) last: Option<LastRun>,
}

/// The last run of a check.
#[derive(Clone, Debug)]
pub(crate) struct LastRun {
    pub(crate) observation: Observation,
    pub(crate) age: Duration,
    pub(crate) time: Timestamp,
}

/// A change of how a dependency reads.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) from: Option<Health>,
    pub(super) to: Option<Health>,
    pub(super) output: Option<String>,
}

impl Slot {
    pub(super) fn new(dependency: Dependency, clock: Clock, recorder: &dyn Recorder) -> Self {
        let labels = [("Dependency", &*dependency.name)];
        let (up, changes) = (recorder.gauge(&UP, &labels), recorder.counter(&CHANGES, &labels));
        let duration = recorder.histogram(&DURATION, &labels);
        let state = Mutex::new(State::new(dependency.settings, clock.now()));
        let running = tokio::sync::Mutex::new(());
        Self { dependency, state, running, clock, up, changes, duration }
    }

    pub(super) fn status(&self) -> Status {
        self.state().status()
    }

    pub(super) fn reading(&self) -> Reading {
        let (now, wall) = (self.clock.now(), self.clock.wall());
        let state = self.state();
        let last = state.last().map(|(observation, at)| last_run(observation, *at, now, wall));
        Reading {
            name: self.dependency.name.clone(),
            component_type: self.dependency.check.component_type(),
            is_required: self.dependency.is_required,
            status: state.status().as_str(),
            circuit: state.circuit(),
            last,
        }
    }

    /// How long until the check is to run again; `spread` is a random number in 0..=1.
    pub(super) fn next_run_in(&self, spread: f64) -> Duration {
        let interval = self.dependency.settings.interval.mul_f64(0.9 + 0.2 * spread);
        interval.max(self.state().open_for(self.clock.now()))
    }

    /// Runs the check once, unless a run is under way or the circuit is open.
    pub(super) async fn run(&self) -> Option<Change> {
        let _running = self.running.try_lock().ok()?;
        if !self.state().open_for(self.clock.now()).is_zero() {
            return None;
        }
        let start = self.clock.now();
        let answer = self.ask().await;
        let end = self.clock.now();
        self.duration.record((end - start).as_secs_f64() * 1e3);
        self.take_in(answer, end)
    }

    /// Asks the dependency on a task of its own, so that a panic ends there.
    async fn ask(&self) -> Observation {
        let limit = self.dependency.settings.timeout;
        let check = self.dependency.check.clone();
        let mut task = AbortOnDrop(tokio::spawn(async move { check.check().await }));
        match tokio::time::timeout(limit, &mut task.0).await {
            Ok(Ok(observation)) => observation,
            Ok(Err(_)) => Observation::fail("the check panicked"),
            Err(_) => Observation::fail(format!("no answer within {limit:?}")),
        }
    }

    fn take_in(&self, answer: Observation, now: Instant) -> Option<Change> {
        let output = answer.output().map(str::to_owned);
        let mut state = self.state();
        let change = state.record(answer, now);
        let status = state.status();
        drop(state);
        self.up.set(match status {
            Status::Known(Health::Pass) => 1.0,
            Status::Known(Health::Warn) => 0.5,
            Status::Known(Health::Fail) | Status::Starting => 0.0,
        });
        let (from, to) = change?;
        self.changes.add(1);
        Some(Change { from: health(from), to: health(to), output })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A task that does not outlive whoever waits for it.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn health(status: Status) -> Option<Health> {
    match status {
        Status::Starting => None,
        Status::Known(health) => Some(health),
    }
}

fn last_run(observation: &Observation, at: Instant, now: Instant, wall: Timestamp) -> LastRun {
    let age = now - at;
    let age_nanos = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
    let time = Timestamp::from_unix_nanos(wall.unix_nanos().saturating_sub(age_nanos));
    LastRun { observation: observation.clone(), age, time }
}
