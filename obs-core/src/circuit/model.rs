//! Every interleaving of two threads at the breaker's word, by the model checker.
//!
//! `cargo xtask models` runs them.

use std::sync::Arc;
use std::time::Duration;

use super::machine::Machine;
use super::series::Series;
use super::ticket::Ticket;
use super::{CircuitBreakerConfig, SlidingWindow, State, Verdict};
use crate::clock::{Clock, Instant, ManualClock};
use crate::config::ConfigError;
use crate::random::Random;

struct Model {
    machine: Machine,
    clock: Clock,
    start: Instant,
}

const WAIT: Duration = Duration::from_secs(1);

fn model(probes: u32) -> Arc<Model> {
    let config = CircuitBreakerConfig::new()
        .without_failure_rate()
        .without_slow_calls()
        .consecutive_failures_threshold(1)
        .sliding_window(SlidingWindow::Count(1))
        .permitted_calls_in_half_open(probes)
        .wait_duration_in_open_state(WAIT);
    let (random, clock) = (Random::seeded(1), ManualClock::default().clock());
    let series = Series::default();
    let machine = Machine::new("m".into(), config, None, Vec::new(), series, random);
    Arc::new(Model { machine, start: clock.now(), clock })
}

impl Model {
    fn admit(&self, after: Duration) -> Option<Ticket> {
        self.machine.admit(0, self.start + after, &self.clock).ok()
    }

    fn settle(&self, ticket: Ticket, verdict: Verdict, after: Duration) {
        self.machine.settle(&ticket, verdict, self.start + after, &self.clock);
    }

    fn open(&self) {
        let ticket = self.admit(Duration::ZERO).unwrap();
        self.settle(ticket, Verdict::Failure, Duration::ZERO);
        assert_eq!(self.machine.state(), State::Open);
    }
}

fn beside<T: 'static>(
    model: &Arc<Model>,
    other: impl FnOnce(&Model) -> T + 'static,
) -> loom::thread::JoinHandle<T> {
    let model = Arc::clone(model);
    loom::thread::spawn(move || other(&model))
}

#[test]
fn res_c5_two_threads_that_find_the_wait_over_share_one_probe() {
    loom::model(|| {
        let model = model(1);
        model.open();
        let other = beside(&model, |model| model.admit(WAIT).is_some());
        let admitted = model.admit(WAIT).is_some();
        assert!(admitted ^ other.join().unwrap(), "exactly one probe");
        assert_eq!(model.machine.state(), State::HalfOpen);
    });
}

#[test]
fn res_c6_a_slot_given_back_is_used_at_most_once_more() {
    loom::model(|| {
        let model = model(1);
        model.open();
        let probe = model.admit(WAIT).unwrap();
        let other = beside(&model, |model| model.admit(WAIT));
        model.settle(probe, Verdict::Ignored, WAIT);
        let other = other.join().unwrap();
        let own = model.admit(WAIT);
        assert!(own.is_some() ^ other.is_some(), "exactly one further probe");
        model.settle(own.or(other).unwrap(), Verdict::Success, WAIT);
        assert_eq!(model.machine.state(), State::Closed);
    });
}

#[test]
fn res_c7_a_late_call_never_ends_a_half_open_cycle() {
    loom::model(|| {
        let model = model(1);
        let late = model.admit(Duration::ZERO).unwrap();
        model.open();
        let other = beside(&model, move |model| model.settle(late, Verdict::Failure, WAIT));
        let probe = model.admit(WAIT).unwrap();
        model.settle(probe, Verdict::Success, WAIT);
        other.join().unwrap();
        assert_eq!(model.machine.state(), State::Closed);
    });
}

#[test]
fn res_c9_probes_that_end_together_end_the_cycle_once() {
    loom::model(|| {
        let model = model(2);
        model.open();
        let (first, second) = (model.admit(WAIT).unwrap(), model.admit(WAIT).unwrap());
        let other = beside(&model, move |model| model.settle(first, Verdict::Success, WAIT));
        model.settle(second, Verdict::Success, WAIT);
        other.join().unwrap();
        assert_eq!(model.machine.state(), State::Closed);
        assert_eq!(model.machine.history().len(), 3, "open, half-open, closed");
    });
}

#[test]
fn res_c19_two_failures_open_it_once() {
    loom::model(|| {
        let model = model(1);
        let first = model.admit(Duration::ZERO).unwrap();
        let second = model.admit(Duration::ZERO).unwrap();
        let other = beside(&model, move |m| m.settle(first, Verdict::Failure, Duration::ZERO));
        model.settle(second, Verdict::Failure, Duration::ZERO);
        other.join().unwrap();
        assert_eq!(model.machine.state(), State::Open);
        assert_eq!(model.machine.history().len(), 1);
    });
}

#[test]
fn res_a1_two_operators_that_change_two_knobs_both_get_what_they_asked_for() {
    loom::model(|| {
        let model = model(1);
        let change = |change: fn(CircuitBreakerConfig) -> CircuitBreakerConfig| {
            move |model: &Model| {
                let changed =
                    model.machine.update_config(|config| Ok::<_, ConfigError>(change(config)));
                assert_eq!(changed, Ok(()));
            }
        };
        let other = beside(&model, change(|config| config.shadow(true)));
        change(|config| config.permitted_calls_in_half_open(7))(&model);
        other.join().unwrap();
        let config = model.machine.config();
        assert_eq!((config.shadow, config.permitted_calls_in_half_open), (true, 7));
    });
}
