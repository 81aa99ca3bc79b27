//! The state machine: admission and outcome. It holds no clock; every step is told the time.
//!
//! The rest of it, by idea: `half_open` has the probes, `judge` the reasons to open, `shift` the
//! change of state and the telling of it.

use std::sync::Arc;
use std::time::Duration;

use super::in_flight::InFlight;
use super::knobs::Knobs;
use super::series::{Counts, Series};
use super::shard;
use super::shift::Cold;
use super::sync::{AtomicU32, AtomicU64, Mutex, Ordering, lock};
use super::transition::{Listener, Transition};
use super::window::{Sample, Totals, Window};
use super::word::Word;
use super::{CircuitBreakerConfig, Reason, State, Verdict};
use crate::clock::{Clock, Instant};
use crate::config::ConfigError;
use crate::deadline::Deadline;
use crate::outcome::Outcome;
use crate::random::Random;

/// What an admitted call carries. Its times are [running time](Clock::running): a process that was
/// frozen makes no call slow or late.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    started: Instant,
    /// The end of time for a call without one.
    deadline: Deadline,
    pub(super) epoch: u32,
    pub(super) kind: TicketKind,
    shard: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TicketKind {
    /// Admitted by a state that judges or records.
    Counted,
    Probe,
    /// Admitted by a disabled breaker.
    Uncounted,
    /// Refused, but shadow mode let it pass.
    Shadow,
}

/// Why a call is refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused {
    pub(super) state: State,
    pub(super) retry_after: Option<Duration>,
}

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
    /// `None` stands for [`Verdict::of`], which can be inlined.
    verdict: Option<fn(Outcome) -> Verdict>,
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

    #[inline]
    pub(super) fn verdict(&self, outcome: Outcome) -> Verdict {
        match self.verdict {
            None if matches!(outcome, Outcome::Success) => Verdict::Success,
            None => Verdict::of(outcome),
            Some(verdict) => verdict(outcome),
        }
    }

    // Admission

    #[inline]
    pub(super) fn admit(
        &self,
        now: Instant,
        deadline: Option<Deadline>,
        clock: &Clock,
    ) -> Result<Ticket, Refused> {
        let word = self.word();
        let running = clock.running(now);
        let looked = running.as_nanos() < self.hot.look_at.load(Ordering::Relaxed);
        if word.state() == State::Closed && looked {
            return Ok(self.ticket(word, TicketKind::Counted, running, now, deadline));
        }
        self.admit_otherwise(now, deadline, clock)
    }

    #[cold]
    fn admit_otherwise(
        &self,
        now: Instant,
        deadline: Option<Deadline>,
        clock: &Clock,
    ) -> Result<Ticket, Refused> {
        self.look_for_hung_calls(now, clock);
        let ticket = |word, kind| self.ticket(word, kind, clock.running(now), now, deadline);
        loop {
            let word = self.word();
            match word.state() {
                State::Closed => return Ok(ticket(word, TicketKind::Counted)),
                State::Open => {
                    let until = Instant::from_nanos(self.hot.open_until.load(Ordering::Relaxed));
                    if now < until {
                        return self.refuse(word, Some(until - now), ticket);
                    }
                    if let Some(probe) = self.begin_half_open(word, now, clock) {
                        return Ok(ticket(probe, TicketKind::Probe));
                    }
                }
                State::HalfOpen => match self.admit_probe(word, now, clock) {
                    Some(Ok(probe)) => return Ok(ticket(probe, TicketKind::Probe)),
                    Some(Err(())) => return self.refuse(word, None, ticket),
                    None => {}
                },
                State::ForcedOpen => {
                    if !self.override_expired(word, now, clock) {
                        let until = self.hot.override_until.load(Ordering::Relaxed);
                        let rest = (until != NEVER).then(|| Instant::from_nanos(until) - now);
                        return self.refuse(word, rest, ticket);
                    }
                }
                State::Disabled => {
                    if !self.override_expired(word, now, clock) {
                        return Ok(ticket(word, TicketKind::Uncounted));
                    }
                }
                State::MetricsOnly => {
                    if !self.override_expired(word, now, clock) {
                        return Ok(ticket(word, TicketKind::Counted));
                    }
                }
            }
        }
    }

    fn refuse(
        &self,
        word: Word,
        retry_after: Option<Duration>,
        ticket: impl FnOnce(Word, TicketKind) -> Ticket,
    ) -> Result<Ticket, Refused> {
        self.counts.not_permitted.fetch_add(1, Ordering::Relaxed);
        self.series.not_permitted.add(1);
        if self.hot.knobs.is_shadow() {
            return Ok(ticket(word, TicketKind::Shadow));
        }
        Err(Refused { state: word.state(), retry_after })
    }

    #[inline]
    fn ticket(
        &self,
        word: Word,
        kind: TicketKind,
        started: Instant,
        now: Instant,
        deadline: Option<Deadline>,
    ) -> Ticket {
        let shard = shard::of_this_thread();
        if let (Some(in_flight), TicketKind::Counted) = (&self.in_flight, kind) {
            in_flight.enter(started, shard);
        }
        let deadline = match deadline {
            None => Deadline::at(Instant::from_nanos(NEVER)),
            Some(deadline) => Deadline::at(deadline.instant() - (now - started)),
        };
        Ticket { started, deadline, epoch: word.epoch(), kind, shard }
    }

    // Outcome

    /// What it means that a call was given up: a failure if it was late or slow, or if its thread
    /// panics; otherwise its caller went away.
    #[cold]
    pub(super) fn verdict_of_a_drop(
        &self,
        ticket: &Ticket,
        now: Instant,
        clock: &Clock,
    ) -> Verdict {
        let running = clock.running(now);
        if ticket.deadline.has_passed(running)
            || self.is_slow(ticket, running)
            || std::thread::panicking()
        {
            return Verdict::Failure;
        }
        Verdict::Ignored
    }

    #[inline]
    fn is_slow(&self, ticket: &Ticket, running: Instant) -> bool {
        let age = running.as_nanos().saturating_sub(ticket.started.as_nanos());
        age >= self.hot.knobs.slow_nanos()
    }

    #[inline]
    pub(super) fn settle(&self, ticket: Ticket, verdict: Verdict, now: Instant, clock: &Clock) {
        let word = self.word();
        if word.epoch() != ticket.epoch
            || ticket.kind != TicketKind::Counted
            || verdict == Verdict::Ignored
        {
            return self.settle_otherwise(ticket, verdict, now, clock);
        }
        if let Some(in_flight) = &self.in_flight {
            in_flight.leave(ticket.started, ticket.shard);
        }
        let slow = self.is_slow(&ticket, clock.running(now));
        let sample = Sample { failed: verdict == Verdict::Failure, slow };
        self.record(word, sample, now, clock);
    }

    #[cold]
    fn settle_otherwise(&self, ticket: Ticket, verdict: Verdict, now: Instant, clock: &Clock) {
        if let (Some(in_flight), TicketKind::Counted) = (&self.in_flight, ticket.kind) {
            if ticket.epoch == self.hot.counting_epoch.load(Ordering::Relaxed) {
                in_flight.leave(ticket.started, ticket.shard);
            } else {
                in_flight.leave_excused(ticket.shard);
            }
        }
        if verdict == Verdict::Ignored {
            self.counts.ignored.fetch_add(1, Ordering::Relaxed);
            self.series.ignored.add(1);
            if ticket.kind == TicketKind::Probe {
                self.change_probes(ticket, Word::withdraw);
            }
            return;
        }
        let slow = self.is_slow(&ticket, clock.running(now));
        let sample = Sample { failed: verdict == Verdict::Failure, slow };
        self.count(sample);
        if self.word().epoch() != ticket.epoch {
            self.counts.outdated.fetch_add(1, Ordering::Relaxed);
        } else if ticket.kind == TicketKind::Probe {
            self.end_probe(ticket, sample, now, clock);
        }
    }

    #[inline]
    fn count(&self, sample: Sample) {
        if sample.failed {
            self.counts.failed.fetch_add(1, Ordering::Relaxed);
            self.series.failure.add(1);
        } else {
            self.series.success.add(1);
        }
        if sample.slow {
            self.counts.slow.fetch_add(1, Ordering::Relaxed);
            self.series.slow.add(1);
        }
    }

    #[inline]
    fn record(&self, word: Word, sample: Sample, now: Instant, clock: &Clock) {
        self.count(sample);
        let streak = &self.hot.consecutive[word.window()];
        let mut consecutive = 0;
        if sample.failed {
            consecutive = streak.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        } else if streak.load(Ordering::Relaxed) != 0 {
            streak.store(0, Ordering::Relaxed);
        }
        let shard = shard::of_this_thread();
        let moved_on = self.windows[word.window()].record(now, shard, sample);
        // A call that does well makes no rate worse; only if that does not settle it, look closer.
        if sample.failed
            || sample.slow
            || moved_on
            || self.hot.attention.load(Ordering::Relaxed) != 0
        {
            self.open_if_due(word, consecutive, now, clock);
        }
    }

    // Operators and onlookers

    pub(super) fn config(&self) -> CircuitBreakerConfig {
        lock(&self.cold).config.clone()
    }

    pub(super) fn set_config(&self, config: CircuitBreakerConfig) -> Result<(), ConfigError> {
        config.validate()?;
        let mut cold = lock(&self.cold);
        if config.sliding_window != cold.config.sliding_window {
            let window = format!("{:?}", config.sliding_window);
            return Err(ConfigError::new("sliding_window", window, "is fixed once built"));
        }
        if let Some(slow) = config.slow_call_duration_threshold
            && self.in_flight.as_ref().is_none_or(|in_flight| slow > in_flight.longest_threshold())
        {
            let rule = "must be at most twice what the breaker was built with";
            let field = "slow_call_duration_threshold";
            return Err(ConfigError::new(field, format!("{slow:?}"), rule));
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

    /// Whether shadow mode alone let the call pass.
    pub(super) const fn is_shadow(ticket: &Ticket) -> bool {
        matches!(ticket.kind, TicketKind::Shadow)
    }

    /// Opens it for a reason that was found in the epoch of `word`.
    pub(super) fn open(&self, word: Word, reason: Reason, now: Instant, clock: &Clock) {
        let open = word.next(State::Open, word.window());
        self.shift(word, open, reason, now, clock);
    }
}
