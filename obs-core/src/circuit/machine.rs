//! The state machine. It holds no clock; every step is told the time.
//!
//! By idea: `admission` lets calls in, `settle` hears how they ended, `half_open` has the probes,
//! `judge` the reasons to open, `shift` the change of state and the telling of it.

use std::sync::Arc;
use std::time::Duration;

use super::cold::Cold;
use super::in_flight::InFlight;
use super::knobs::Knobs;
use super::series::{Counts, Series};
use super::sync::{AtomicU32, AtomicU64, Mutex, Ordering, lock};
use super::transition::{Listener, Transition};
use super::window::{Totals, Window};
use super::word::Word;
use super::{CircuitBreakerConfig, Reason, State, Verdict};
use crate::clock::{Clock, Instant};
use crate::config::ConfigError;
use crate::outcome::Outcome;
use crate::random::Random;

/// On cache lines of their own: every call reads these, and only what is rare writes them, while
/// every clone and drop of the handle writes the reference count that stands before them.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Hot {
    pub(super) word: AtomicU64,
    /// When to look for calls that hang, in nanoseconds of running time.
    pub(super) look_at: AtomicU64,
    /// The epoch of the latest state that counted calls in flight.
    pub(super) counting_epoch: AtomicU32,
    /// Not 0 if even a call that does well may be reason to open.
    pub(super) attention: AtomicU32,
    pub(super) consecutive: [AtomicU32; 2],
    pub(super) hung: AtomicU32,
    pub(super) knobs: Knobs,
    /// When the open wait is over, in nanoseconds.
    pub(super) open_until: AtomicU64,
    /// When the override ends, in nanoseconds; `NEVER` without a limit.
    pub(super) override_until: AtomicU64,
    /// Since when a probe has been under way without a break, in running time.
    pub(super) probing_since: AtomicU64,
}

pub(super) const NEVER: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Machine {
    pub(super) hot: Hot,
    pub(super) windows: [Window; 2],
    pub(super) in_flight: Option<InFlight>,
    /// `None` stands for [`Verdict::of`], and a success needs no call then.
    pub(super) verdict: Option<fn(Outcome) -> Verdict>,
    pub(super) name: Arc<str>,
    pub(super) counts: Counts,
    pub(super) series: Series,
    pub(super) random: Random,
    pub(super) cold: Mutex<Cold>,
}

impl Machine {
    pub(super) fn new(
        name: Arc<str>,
        config: CircuitBreakerConfig,
        verdict: Option<fn(Outcome) -> Verdict>,
        listeners: Vec<Listener>,
        series: Series,
        random: Random,
    ) -> Self {
        let window = || Window::new(config.sliding_window);
        series.states[State::Closed as usize].set(1.0);
        // Without slow calls there is nothing to look for.
        let look_at = if config.slow_call_duration_threshold.is_some() { 0 } else { NEVER };
        Self {
            hot: Hot {
                word: AtomicU64::new(Word::new(State::Closed, 0, 0).0),
                look_at: AtomicU64::new(look_at),
                counting_epoch: AtomicU32::new(0),
                attention: AtomicU32::new(0),
                consecutive: [AtomicU32::new(0), AtomicU32::new(0)],
                hung: AtomicU32::new(0),
                knobs: Knobs::new(&config),
                open_until: AtomicU64::new(0),
                override_until: AtomicU64::new(NEVER),
                probing_since: AtomicU64::new(0),
            },
            windows: [window(), window()],
            in_flight: config.slow_call_duration_threshold.map(InFlight::new),
            verdict,
            name,
            counts: Counts::new(),
            series,
            random,
            cold: Mutex::new(Cold::new(config, listeners)),
        }
    }

    #[inline]
    pub(super) fn word(&self) -> Word {
        // Acquire: who sees a state also sees what was written before it was entered.
        Word(self.hot.word.load(Ordering::Acquire))
    }

    pub(super) fn state(&self) -> State {
        self.word().state()
    }

    // Operators and onlookers

    pub(super) fn config(&self) -> CircuitBreakerConfig {
        lock(&self.cold).config.clone()
    }

    /// Puts what `change` makes of the configuration in its place; nobody else changes it meanwhile.
    pub(super) fn update_config<E: From<ConfigError>>(
        &self,
        change: impl FnOnce(CircuitBreakerConfig) -> Result<CircuitBreakerConfig, E>,
    ) -> Result<(), E> {
        let mut cold = lock(&self.cold);
        let config = change(cold.config.clone())?;
        config.validate()?;
        if config.sliding_window != cold.config.sliding_window {
            let window = format!("{:?}", config.sliding_window);
            return Err(ConfigError::new("sliding_window", window, "is fixed once built").into());
        }
        if let Some(slow) = config.slow_call_duration_threshold
            && self.in_flight.as_ref().is_none_or(|in_flight| slow > in_flight.longest_threshold())
        {
            let rule = "must be at most twice what the breaker was built with";
            let field = "slow_call_duration_threshold";
            return Err(ConfigError::new(field, format!("{slow:?}"), rule).into());
        }
        self.hot.knobs.set(&config);
        // By the new rules the next call may be reason to open, whatever it is.
        self.hot.attention.store(1, Ordering::Relaxed);
        cold.config = config;
        Ok(())
    }

    pub(super) fn add_listener(&self, listener: Listener) {
        lock(&self.cold).add_listener(listener);
    }

    pub(super) fn history(&self) -> Vec<Transition> {
        lock(&self.cold).journal.history().cloned().collect()
    }

    pub(super) fn totals(&self, now: Instant) -> Totals {
        self.windows[self.word().window()].totals(now)
    }

    pub(super) fn in_flight(&self) -> Option<u32> {
        self.in_flight.as_ref().map(InFlight::len)
    }

    pub(super) fn remaining(&self, now: Instant) -> Option<Duration> {
        let until = match self.state() {
            State::Open => self.hot.open_until.load(Ordering::Relaxed),
            State::ForcedOpen | State::Disabled | State::MetricsOnly => {
                self.hot.override_until.load(Ordering::Relaxed)
            }
            State::Closed | State::HalfOpen => return None,
        };
        (until != NEVER).then(|| Instant::from_nanos(until) - now)
    }

    /// Opens it for a reason that was found in the epoch of `word`.
    pub(super) fn open(&self, word: Word, reason: Reason, now: Instant, clock: &Clock) {
        let open = word.next(State::Open, word.window());
        self.shift(word, open, reason, now, clock);
    }
}
