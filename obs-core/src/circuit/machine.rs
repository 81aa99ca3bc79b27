//! The state machine: admission, outcome, transition. It holds no clock; every step is told the
//! time.

use std::sync::Arc;
use std::time::Duration;

use super::in_flight::{InFlight, Place};
use super::sync::{AtomicU32, AtomicU64, Mutex, Ordering, lock};
use super::transition::{Journal, Listener};
use super::window::{Sample, Totals, Window};
use super::word::Word;
use super::{CircuitBreakerConfig, HalfOpenRule, Reason, State, Transition, Verdict};
use crate::clock::{Clock, Instant, nanos};
use crate::config::ConfigError;
use crate::metric::{Counter, Gauge};
use crate::outcome::Outcome;
use crate::random::Random;

/// What an admitted call carries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    epoch: u32,
    kind: TicketKind,
    place: Option<Place>,
    started: Instant,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TicketKind {
    /// Admitted by a state that judges or records.
    Counted,
    Probe,
    /// Admitted by a disabled breaker.
    Uncounted,
    /// Refused, but shadow mode let it pass.
    Shadow,
}

impl Ticket {
    pub(super) const fn is_shadow(&self) -> bool {
        matches!(self.kind, TicketKind::Shadow)
    }
}

/// Why a call is refused.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refused {
    pub(super) state: State,
    pub(super) retry_after: Option<Duration>,
}

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

/// On cache lines of their own: every admission reads the word, which changes rarely, and every
/// clone and drop of the handle writes the reference count that stands before it.
#[derive(Debug)]
#[repr(align(128))]
struct Hot {
    word: AtomicU64,
    /// When the open wait is over, in nanoseconds.
    open_until: AtomicU64,
    /// When the override ends, in nanoseconds; `NEVER` without a limit.
    override_until: AtomicU64,
    /// Since when a probe has been under way without a break.
    probing_since: AtomicU64,
    hung_looked_at: AtomicU64,
    hung: AtomicU32,
    consecutive: [AtomicU32; 2],
    knobs: Knobs,
}

const NEVER: u64 = u64::MAX;

/// What may change while the breaker works, as far as calls look at it.
#[derive(Debug)]
struct Knobs {
    /// `f64` bits; NaN when off.
    failure_rate: AtomicU64,
    slow_rate: AtomicU64,
    slow_nanos: AtomicU64,
    max_half_open_nanos: AtomicU64,
    minimum_calls: AtomicU32,
    consecutive_failures: AtomicU32,
    probes: AtomicU32,
    /// Bit 0: shadow; bit 1: the first failed probe opens.
    flags: AtomicU32,
}

const SHADOW: u32 = 1;
const FIRST_FAILURE: u32 = 2;

#[derive(Debug)]
pub(super) struct Machine {
    hot: Hot,
    windows: [Window; 2],
    in_flight: Option<InFlight>,
    verdict: fn(Outcome) -> Verdict,
    pub(super) name: Arc<str>,
    pub(super) counts: Counts,
    series: Series,
    random: Random,
    cold: Mutex<Cold>,
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

/// Changed under the lock, by transitions and operators only.
#[derive(Debug)]
struct Cold {
    config: CircuitBreakerConfig,
    openings_in_a_row: u32,
    listeners: Arc<[Listener]>,
    journal: Journal,
}

impl Machine {
    pub(super) fn new(
        name: Arc<str>,
        config: CircuitBreakerConfig,
        verdict: fn(Outcome) -> Verdict,
        listeners: Vec<Listener>,
        series: Series,
        random: Random,
    ) -> Self {
        let knobs = Knobs::new();
        knobs.set(&config);
        let count = || AtomicU64::new(0);
        series.states[State::Closed as usize].set(1.0);
        Self {
            hot: Hot {
                word: AtomicU64::new(Word::new(State::Closed, 0, 0).0),
                open_until: AtomicU64::new(0),
                override_until: AtomicU64::new(NEVER),
                probing_since: AtomicU64::new(0),
                hung_looked_at: AtomicU64::new(0),
                hung: AtomicU32::new(0),
                consecutive: [AtomicU32::new(0), AtomicU32::new(0)],
                knobs,
            },
            windows: [Window::new(config.sliding_window), Window::new(config.sliding_window)],
            in_flight: config.slow_call_duration_threshold.map(InFlight::new),
            verdict,
            name,
            counts: Counts {
                failed: count(),
                slow: count(),
                ignored: count(),
                not_permitted: count(),
                outdated: count(),
            },
            series,
            random,
            cold: Mutex::new(Cold {
                config,
                openings_in_a_row: 0,
                listeners: listeners.into(),
                journal: Journal::default(),
            }),
        }
    }

    #[inline]
    fn word(&self) -> Word {
        // Acquire: who sees a state also sees what was written before it was entered.
        Word(self.hot.word.load(Ordering::Acquire))
    }

    pub(super) fn state(&self) -> State {
        self.word().state()
    }

    pub(super) const fn verdict(&self) -> fn(Outcome) -> Verdict {
        self.verdict
    }

    // Admission

    #[inline]
    pub(super) fn admit(&self, now: Instant, clock: &Clock) -> Result<Ticket, Refused> {
        let word = self.word();
        if word.state() == State::Closed {
            self.look_for_hung_calls(word, now, clock);
            return Ok(self.ticket(word, TicketKind::Counted, now));
        }
        self.admit_unless_closed(now, clock)
    }

    #[cold]
    fn admit_unless_closed(&self, now: Instant, clock: &Clock) -> Result<Ticket, Refused> {
        loop {
            let word = self.word();
            match word.state() {
                State::Closed => return Ok(self.ticket(word, TicketKind::Counted, now)),
                State::Open => {
                    let until = Instant::from_nanos(self.hot.open_until.load(Ordering::Relaxed));
                    if now < until {
                        return self.refuse(word, Some(until - now), now);
                    }
                    // Open -> HalfOpen: the call that finds the wait over is the first probe.
                    self.hot.probing_since.store(now.as_nanos(), Ordering::Relaxed);
                    let next = word.next(State::HalfOpen, word.window()).issue();
                    if self.transition(word, next, Reason::WaitElapsed, now, clock) {
                        return Ok(self.ticket(next, TicketKind::Probe, now));
                    }
                }
                State::HalfOpen => match self.admit_probe(word, now, clock) {
                    Some(decision) => return decision,
                    None => continue,
                },
                State::ForcedOpen => {
                    if !self.override_expired(word, now, clock) {
                        let until = self.hot.override_until.load(Ordering::Relaxed);
                        let rest = (until != NEVER).then(|| Instant::from_nanos(until) - now);
                        return self.refuse(word, rest, now);
                    }
                }
                State::Disabled => {
                    if !self.override_expired(word, now, clock) {
                        return Ok(self.ticket(word, TicketKind::Uncounted, now));
                    }
                }
                State::MetricsOnly => {
                    if !self.override_expired(word, now, clock) {
                        return Ok(self.ticket(word, TicketKind::Counted, now));
                    }
                }
            }
        }
    }

    /// `None` if the word changed meanwhile.
    fn admit_probe(
        &self,
        word: Word,
        now: Instant,
        clock: &Clock,
    ) -> Option<Result<Ticket, Refused>> {
        let permitted = self.hot.knobs.probes.load(Ordering::Relaxed);
        if word.outstanding() == 0 {
            if word.done() >= permitted {
                // Fewer probes are permitted than when this cycle began.
                self.judge_probes(word, now, clock);
                return None;
            }
            self.hot.probing_since.store(now.as_nanos(), Ordering::Relaxed);
        } else if self.probing_too_long(now) {
            // HalfOpen -> Open: a probe hangs.
            let open = word.next(State::Open, word.window());
            self.transition(word, open, Reason::ProbeTimeLimit, now, clock);
            return None;
        }
        if word.issued() >= permitted {
            return Some(self.refuse(word, None, now));
        }
        let issued = word.issue();
        let exchanged =
            self.hot.word.compare_exchange(word.0, issued.0, Ordering::AcqRel, Ordering::Relaxed);
        exchanged.is_ok().then(|| Ok(self.ticket(issued, TicketKind::Probe, now)))
    }

    fn probing_too_long(&self, now: Instant) -> bool {
        let since = Instant::from_nanos(self.hot.probing_since.load(Ordering::Relaxed));
        let limit = self.hot.knobs.max_half_open_nanos.load(Ordering::Relaxed);
        now.as_nanos().saturating_sub(since.as_nanos()) >= limit
    }

    fn refuse(
        &self,
        word: Word,
        retry_after: Option<Duration>,
        now: Instant,
    ) -> Result<Ticket, Refused> {
        self.counts.not_permitted.fetch_add(1, Ordering::Relaxed);
        self.series.not_permitted.add(1);
        if self.hot.knobs.flags.load(Ordering::Relaxed) & SHADOW != 0 {
            return Ok(self.ticket(word, TicketKind::Shadow, now));
        }
        Err(Refused { state: word.state(), retry_after })
    }

    #[inline]
    fn ticket(&self, word: Word, kind: TicketKind, now: Instant) -> Ticket {
        let place = match (&self.in_flight, kind) {
            (Some(in_flight), TicketKind::Counted) => Some(in_flight.enter(now)),
            _ => None,
        };
        Ticket { epoch: word.epoch(), kind, place, started: now }
    }

    /// Once per tick: do calls hang, and is that reason to open?
    #[inline]
    fn look_for_hung_calls(&self, word: Word, now: Instant, clock: &Clock) {
        if let Some(in_flight) = &self.in_flight {
            let tick = in_flight.epoch(now);
            if tick > self.hot.hung_looked_at.load(Ordering::Relaxed) {
                self.count_hung_calls(in_flight, tick, word, now, clock);
            }
        }
    }

    #[cold]
    fn count_hung_calls(
        &self,
        in_flight: &InFlight,
        tick: u64,
        word: Word,
        now: Instant,
        clock: &Clock,
    ) {
        self.hot.hung_looked_at.fetch_max(tick, Ordering::Relaxed);
        let threshold = Duration::from_nanos(self.hot.knobs.slow_nanos.load(Ordering::Relaxed));
        let hung = in_flight.older_than(threshold, now);
        self.hot.hung.store(hung, Ordering::Relaxed);
        if hung > 0 {
            let totals = self.windows[word.window()].totals(now);
            self.open_if_due(word, totals, 0, now, clock);
        }
    }

    // Outcome

    #[inline]
    pub(super) fn is_slow(&self, ticket: &Ticket, now: Instant) -> bool {
        let age = now.as_nanos().saturating_sub(ticket.started.as_nanos());
        age >= self.hot.knobs.slow_nanos.load(Ordering::Relaxed)
    }

    #[inline]
    pub(super) fn settle(&self, ticket: Ticket, verdict: Verdict, now: Instant, clock: &Clock) {
        if let (Some(in_flight), Some(place)) = (&self.in_flight, ticket.place) {
            in_flight.leave(place);
        }
        if verdict == Verdict::Ignored {
            return self.settle_ignored(ticket);
        }
        let sample =
            Sample { failed: verdict == Verdict::Failure, slow: self.is_slow(&ticket, now) };
        self.count(sample);
        let word = self.word();
        if word.epoch() != ticket.epoch {
            self.counts.outdated.fetch_add(1, Ordering::Relaxed);
            return;
        }
        match ticket.kind {
            TicketKind::Counted => self.record(word, sample, now, clock),
            TicketKind::Probe => self.end_probe(ticket, sample, now, clock),
            TicketKind::Uncounted | TicketKind::Shadow => {}
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

    #[cold]
    fn settle_ignored(&self, ticket: Ticket) {
        self.counts.ignored.fetch_add(1, Ordering::Relaxed);
        self.series.ignored.add(1);
        if ticket.kind == TicketKind::Probe {
            self.change_probes(ticket, Word::withdraw);
        }
    }

    /// Changes the probes of the ticket's half-open cycle; `None` if that cycle is over.
    fn change_probes(&self, ticket: Ticket, change: impl Fn(Word) -> Word) -> Option<Word> {
        let mut word = self.word();
        while word.epoch() == ticket.epoch {
            let new = change(word);
            match self.hot.word.compare_exchange_weak(
                word.0,
                new.0,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some(new),
                Err(now) => word = Word(now),
            }
        }
        None
    }

    #[inline]
    fn record(&self, word: Word, sample: Sample, now: Instant, clock: &Clock) {
        let streak = &self.hot.consecutive[word.window()];
        let mut consecutive = 0;
        if sample.failed {
            consecutive = streak.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        } else if streak.load(Ordering::Relaxed) != 0 {
            streak.store(0, Ordering::Relaxed);
        }
        let totals = self.windows[word.window()].record(now, sample);
        let healthy = totals.failures == 0 && totals.slow == 0;
        if !(healthy && self.hot.hung.load(Ordering::Relaxed) == 0) {
            self.open_if_due(word, totals, consecutive, now, clock);
        }
    }

    #[cold]
    fn open_if_due(
        &self,
        word: Word,
        totals: Totals,
        consecutive: u32,
        now: Instant,
        clock: &Clock,
    ) {
        if word.state() != State::Closed {
            return;
        }
        if let Some(reason) = self.reason_to_open(totals, consecutive) {
            // Closed -> Open
            let open = word.next(State::Open, word.window());
            self.transition(word, open, reason, now, clock);
        }
    }

    fn reason_to_open(&self, totals: Totals, consecutive: u32) -> Option<Reason> {
        let knobs = &self.hot.knobs;
        let limit = knobs.consecutive_failures.load(Ordering::Relaxed);
        if limit > 0 && consecutive >= limit {
            return Some(Reason::ConsecutiveFailures);
        }
        let minimum = knobs.minimum_calls.load(Ordering::Relaxed);
        let rate = |knob: &AtomicU64| f64::from_bits(knob.load(Ordering::Relaxed));
        if totals.calls >= minimum
            && reaches(totals.failures, totals.calls, rate(&knobs.failure_rate))
        {
            return Some(Reason::FailureRate);
        }
        let hung = self.hot.hung.load(Ordering::Relaxed);
        let (slow, calls) = (totals.slow.saturating_add(hung), totals.calls.saturating_add(hung));
        if calls >= minimum && reaches(slow, calls, rate(&knobs.slow_rate)) {
            return Some(if hung > 0 { Reason::HungCalls } else { Reason::SlowCallRate });
        }
        None
    }

    fn end_probe(&self, ticket: Ticket, sample: Sample, now: Instant, clock: &Clock) {
        if let Some(word) = self.change_probes(ticket, |w| w.complete(sample.failed, sample.slow)) {
            self.judge_probes(word, now, clock);
        }
    }

    /// Leaves half-open if its probes have shown enough.
    fn judge_probes(&self, word: Word, now: Instant, clock: &Clock) {
        let knobs = &self.hot.knobs;
        let rate = |knob: &AtomicU64| f64::from_bits(knob.load(Ordering::Relaxed));
        let (failure_rate, slow_rate) = (rate(&knobs.failure_rate), rate(&knobs.slow_rate));
        let complete = word.done() >= knobs.probes.load(Ordering::Relaxed);
        let failed = if knobs.flags.load(Ordering::Relaxed) & FIRST_FAILURE != 0 {
            word.failed() > 0 || (word.slow() > 0 && !slow_rate.is_nan())
        } else if !complete {
            return;
        } else {
            // Without a failure rate there is no share of failures that would be good enough.
            let failure_rate = if failure_rate.is_nan() { f64::MIN_POSITIVE } else { failure_rate };
            (word.failed() > 0 && reaches(word.failed(), word.done(), failure_rate))
                || reaches(word.slow(), word.done(), slow_rate)
        };
        if failed {
            // HalfOpen -> Open
            let open = word.next(State::Open, word.window());
            self.transition(word, open, Reason::ProbesFailed, now, clock);
        } else if complete {
            // HalfOpen -> Closed
            let closed = word.next(State::Closed, 1 - word.window());
            self.transition(word, closed, Reason::ProbesSucceeded, now, clock);
        }
    }

    // Transition

    /// Enters the state of `next` if the breaker is still in the epoch of `seen`.
    fn transition(
        &self,
        seen: Word,
        next: Word,
        reason: Reason,
        now: Instant,
        clock: &Clock,
    ) -> bool {
        let mut cold = lock(&self.cold);
        if self.word().epoch() != seen.epoch() {
            return false;
        }
        self.enter(&mut cold, next, now);
        self.note(&mut cold, seen.state(), next.state(), reason, None, clock);
        self.tell(cold);
        true
    }

    /// Publishes `next`, after what its readers must find. The lock is held: nobody else raises
    /// the epoch, and a probe's compare-and-swap that loses to the store finds another epoch.
    fn enter(&self, cold: &mut Cold, next: Word, now: Instant) {
        match next.state() {
            State::Open => {
                let wait =
                    cold.config.open_wait.wait(cold.openings_in_a_row, self.random.next_f64());
                cold.openings_in_a_row = cold.openings_in_a_row.saturating_add(1);
                self.hot.open_until.store((now + wait).as_nanos(), Ordering::Relaxed);
            }
            State::Closed | State::MetricsOnly => {
                if next.state() == State::Closed {
                    cold.openings_in_a_row = 0;
                }
                // The other window: a call of an earlier epoch that is just recording adds to the
                // one that is in use no more.
                self.windows[next.window()].clear();
                self.hot.consecutive[next.window()].store(0, Ordering::Relaxed);
                self.hot.hung.store(0, Ordering::Relaxed);
            }
            State::HalfOpen | State::ForcedOpen | State::Disabled => {}
        }
        self.hot.word.store(next.0, Ordering::Release);
    }

    fn note(
        &self,
        cold: &mut Cold,
        from: State,
        to: State,
        reason: Reason,
        note: Option<Arc<str>>,
        clock: &Clock,
    ) {
        let name = Arc::clone(&self.name);
        cold.journal.add(Transition { name, from, to, reason, at: clock.wall(), note });
    }

    /// Tells listeners what they have not heard, outside the lock, in order, each once. A listener
    /// may call back: what that leads to is told by the loop that runs already.
    fn tell(&self, mut cold: impl std::ops::DerefMut<Target = Cold>) {
        if !cold.journal.begin_telling() {
            return;
        }
        let mut next = cold.journal.next_untold();
        let listeners = Arc::clone(&cold.listeners);
        drop(cold);
        while let Some(transition) = next {
            self.announce(&transition, &listeners);
            next = lock(&self.cold).journal.next_untold();
        }
    }

    fn announce(&self, transition: &Transition, listeners: &[Listener]) {
        self.series.states[transition.from as usize].set(0.0);
        self.series.states[transition.to as usize].set(1.0);
        tracing::warn!(
            target: "obs_core::circuit",
            circuit = &*transition.name,
            from = transition.from.as_str(),
            to = transition.to.as_str(),
            reason = transition.reason.as_str(),
            note = transition.note.as_deref(),
            "circuit breaker changed state"
        );
        for listener in listeners {
            // A listener that panics must not fail the call that happens to tell it.
            let call = std::panic::AssertUnwindSafe(|| (listener.0)(transition));
            if std::panic::catch_unwind(call).is_err() {
                tracing::error!(
                    target: "obs_core::circuit",
                    circuit = &*transition.name,
                    "a listener of the circuit breaker panicked"
                );
            }
        }
    }

    // Operators

    fn override_expired(&self, word: Word, now: Instant, clock: &Clock) -> bool {
        if now.as_nanos() < self.hot.override_until.load(Ordering::Relaxed) {
            return false;
        }
        let closed = word.next(State::Closed, 1 - word.window());
        self.transition(word, closed, Reason::OverrideExpired, now, clock);
        true
    }

    /// Enters `state` on an operator's behalf, for `ttl` if it is an override.
    pub(super) fn force(
        &self,
        state: State,
        ttl: Option<Duration>,
        note: Option<Arc<str>>,
        now: Instant,
        clock: &Clock,
    ) {
        let mut cold = lock(&self.cold);
        let word = self.word();
        let until = ttl.map_or(NEVER, |ttl| (now + ttl).as_nanos());
        self.hot.override_until.store(until, Ordering::Relaxed);
        let window = match state {
            State::Closed | State::MetricsOnly => 1 - word.window(),
            _ => word.window(),
        };
        self.enter(&mut cold, word.next(state, window), now);
        self.note(&mut cold, word.state(), state, Reason::Operator, note, clock);
        self.tell(cold);
    }

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
        cold.config = config;
        Ok(())
    }

    pub(super) fn add_listener(&self, listener: Listener) {
        let mut cold = lock(&self.cold);
        cold.listeners = cold.listeners.iter().cloned().chain([listener]).collect();
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
}

fn reaches(part: u32, whole: u32, percent: f64) -> bool {
    // NaN, a threshold that is off, compares as false.
    f64::from(part) * 100.0 >= f64::from(whole) * percent && whole > 0
}

impl Knobs {
    fn new() -> Self {
        let (wide, narrow) = (|| AtomicU64::new(0), || AtomicU32::new(0));
        Self {
            failure_rate: wide(),
            slow_rate: wide(),
            slow_nanos: wide(),
            max_half_open_nanos: wide(),
            minimum_calls: narrow(),
            consecutive_failures: narrow(),
            probes: narrow(),
            flags: narrow(),
        }
    }

    fn set(&self, config: &CircuitBreakerConfig) {
        let rate = |percent: Option<f64>| percent.unwrap_or(f64::NAN).to_bits();
        let slow = config.slow_call_duration_threshold;
        let slow_rate = config.slow_call_rate_threshold.filter(|_| slow.is_some());
        self.failure_rate.store(rate(config.failure_rate_threshold), Ordering::Relaxed);
        self.slow_rate.store(rate(slow_rate), Ordering::Relaxed);
        self.slow_nanos.store(slow.map_or(NEVER, nanos), Ordering::Relaxed);
        self.max_half_open_nanos.store(nanos(config.max_wait_in_half_open), Ordering::Relaxed);
        self.minimum_calls.store(config.minimum_calls(), Ordering::Relaxed);
        let consecutive = config.consecutive_failures_threshold.unwrap_or(0);
        self.consecutive_failures.store(consecutive, Ordering::Relaxed);
        self.probes.store(config.permitted_calls_in_half_open, Ordering::Relaxed);
        let shadow = if config.shadow { SHADOW } else { 0 };
        let first = match config.half_open_rule {
            HalfOpenRule::FirstFailure => FIRST_FAILURE,
            HalfOpenRule::Rate => 0,
        };
        self.flags.store(shadow | first, Ordering::Relaxed);
    }
}
