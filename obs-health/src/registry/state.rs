//! What a dependency's answers add up to: thresholds, and a circuit that leaves it alone.

use std::time::Duration;

use obs_core::clock::Instant;
use obs_core::control::Health;

use super::dependency::Settings;
use crate::check::Observation;

/// Doublings of the open wait are counted up to here; the wait is capped long before.
const MAX_DOUBLINGS: u32 = 20;

/// The state of one dependency; pure, moved by answers and by the time they come.
#[derive(Debug)]
pub(super) struct State {
    settings: Settings,
    started: Instant,
    phase: Phase,
    failures: u32,
    passes: u32,
    /// How often in a row it went down again soon after it had come up.
    relapses: u32,
    up_since: Option<Instant>,
    last: Option<(Observation, Instant)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Never been up, and still within the grace.
    Starting,
    /// Up; `Health` is `Pass` or `Warn`.
    Closed(Health),
    /// Down and left alone until then.
    Open { until: Instant },
    /// Down and asked again.
    HalfOpen,
}

/// How a dependency reads to a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Starting,
    Known(Health),
}

impl Status {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Known(health) => health.as_str(),
        }
    }
}

impl State {
    pub(super) fn new(settings: Settings, started: Instant) -> Self {
        Self {
            settings,
            started,
            phase: Phase::Starting,
            failures: 0,
            passes: 0,
            relapses: 0,
            up_since: None,
            last: None,
        }
    }

    pub(super) fn status(&self) -> Status {
        match self.phase {
            Phase::Starting => Status::Starting,
            Phase::Closed(health) => Status::Known(health),
            Phase::Open { .. } | Phase::HalfOpen => Status::Known(Health::Fail),
        }
    }

    /// The word for the circuit around the check.
    pub(super) fn circuit(&self) -> &'static str {
        match self.phase {
            Phase::Starting | Phase::Closed(_) => "closed",
            Phase::Open { .. } => "open",
            Phase::HalfOpen => "half_open",
        }
    }

    /// The last answer and when it came.
    pub(super) fn last(&self) -> Option<&(Observation, Instant)> {
        self.last.as_ref()
    }

    /// How long to leave the dependency alone beyond its interval.
    pub(super) fn open_for(&self, now: Instant) -> Duration {
        match self.phase {
            Phase::Open { until } => until.saturating_duration_since(now),
            _ => Duration::ZERO,
        }
    }

    /// Takes in an answer; `Some` when the dependency reads differently now.
    pub(super) fn record(&mut self, answer: Observation, now: Instant) -> Option<(Status, Status)> {
        let before = self.status();
        if answer.health() == Health::Fail {
            self.record_failure(now);
        } else {
            self.record_pass(answer.health(), now);
        }
        self.last = Some((answer, now));
        let after = self.status();
        (before != after).then_some((before, after))
    }

    fn record_failure(&mut self, now: Instant) {
        self.passes = 0;
        self.failures = self.failures.saturating_add(1);
        let is_down = self.failures >= self.settings.failure_threshold;
        match self.phase {
            Phase::Starting if now - self.started < self.settings.startup_grace => {}
            Phase::Starting | Phase::Closed(_) if !is_down => {}
            // Starting | Closed -> Open: it failed often enough.
            Phase::Starting | Phase::Closed(_) => self.open(now),
            // HalfOpen | Open -> Open: it failed again.
            Phase::HalfOpen | Phase::Open { .. } => self.open(now),
        }
    }

    fn record_pass(&mut self, health: Health, now: Instant) {
        self.failures = 0;
        self.passes = self.passes.saturating_add(1);
        match self.phase {
            Phase::Closed(_) => self.phase = Phase::Closed(health),
            // Starting -> Closed: the first answer that is no failure.
            Phase::Starting => self.close(health, now),
            // HalfOpen | Open -> Closed: it passed often enough.
            Phase::HalfOpen | Phase::Open { .. }
                if self.passes >= self.settings.success_threshold =>
            {
                self.close(health, now);
            }
            // Open -> HalfOpen: asked again, and on its way up.
            Phase::HalfOpen | Phase::Open { .. } => self.phase = Phase::HalfOpen,
        }
    }

    fn close(&mut self, health: Health, now: Instant) {
        self.phase = Phase::Closed(health);
        self.up_since = Some(now);
    }

    fn open(&mut self, now: Instant) {
        let max = self.settings.max_wait_in_open;
        let was_up_for = self.up_since.take().map(|since| now - since);
        self.relapses = match was_up_for {
            Some(up) if up >= max => 0,
            Some(_) => (self.relapses + 1).min(MAX_DOUBLINGS),
            // It never came up in between: the same outage, the same wait.
            None => self.relapses,
        };
        let doublings = 1_u32 << self.relapses.saturating_sub(1);
        let wait = self.settings.wait_in_open.saturating_mul(doublings).min(max);
        self.phase = Phase::Open { until: now + wait };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn settings() -> Settings {
        Settings { interval: SECOND, ..Settings::default() }
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_nanos((1_000 + seconds) * 1_000_000_000)
    }

    fn down() -> Observation {
        Observation::fail("refused")
    }

    #[test]
    fn unknown_at_the_start_reads_as_starting_within_the_grace() {
        let mut state = State::new(settings(), at(0));
        for second in 0..30 {
            assert_eq!(state.record(down(), at(second)), None);
        }
        assert_eq!(state.status(), Status::Starting);
        state.record(down(), at(30));
        assert_eq!(state.status(), Status::Known(Health::Fail));
    }

    #[test]
    fn failures_below_the_threshold_change_nothing() {
        let mut state = State::new(settings(), at(0));
        state.record(Observation::pass(), at(0));
        for second in 1..100 {
            let answer = if second % 3 == 0 { Observation::pass() } else { down() };
            assert_eq!(state.record(answer, at(second)), None, "at second {second}");
        }
    }

    #[test]
    fn the_threshold_opens_and_a_pass_after_the_wait_closes() {
        let mut state = State::new(settings(), at(0));
        state.record(Observation::pass(), at(0));
        state.record(down(), at(1));
        state.record(down(), at(2));
        let change = state.record(down(), at(3));
        assert_eq!(change, Some((Status::Known(Health::Pass), Status::Known(Health::Fail))));
        assert_eq!(state.open_for(at(3)), 10 * SECOND);
        assert_eq!(state.circuit(), "open");
        let change = state.record(Observation::pass(), at(13));
        assert_eq!(change, Some((Status::Known(Health::Fail), Status::Known(Health::Pass))));
    }

    #[test]
    fn success_threshold_keeps_the_circuit_half_open_until_it_is_met() {
        let settings = Settings { success_threshold: 2, failure_threshold: 1, ..settings() };
        let mut state = State::new(settings, at(0));
        state.record(Observation::pass(), at(0));
        state.record(down(), at(1));
        assert_eq!(state.record(Observation::pass(), at(11)), None);
        assert_eq!(state.circuit(), "half_open");
        assert!(state.record(Observation::pass(), at(12)).is_some());
    }

    #[test]
    fn each_relapse_doubles_the_wait_until_it_has_stayed_up() {
        let settings = Settings { failure_threshold: 1, ..settings() };
        let mut state = State::new(settings, at(0));
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..8 {
            state.record(Observation::pass(), at(now));
            state.record(down(), at(now + 1));
            let wait = state.open_for(at(now + 1)).as_secs();
            waits.push(wait);
            now += 1 + wait;
        }
        assert_eq!(waits, [10, 20, 40, 80, 160, 300, 300, 300]);
        state.record(Observation::pass(), at(now));
        state.record(down(), at(now + 300));
        assert_eq!(state.open_for(at(now + 300)), 10 * SECOND);
    }
}
