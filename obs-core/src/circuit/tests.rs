//! The rules of the breaker, on a clock that moves only when told to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::clock::{Clock, ManualClock};
use crate::control::{Action, ActionErrorKind, Control, Registry};
use crate::deadline::Deadline;
use crate::outcome::{Outcome, Rejection};

const SECOND: Duration = Duration::from_secs(1);

struct Bench {
    time: ManualClock,
    breaker: CircuitBreaker,
}

fn bench(config: CircuitBreakerConfig) -> Bench {
    let time = ManualClock::default();
    let breaker = CircuitBreaker::builder("test").config(config).clock(time.clock()).build();
    Bench { time, breaker: breaker.unwrap() }
}

fn consecutive(failures: u32) -> CircuitBreakerConfig {
    CircuitBreakerConfig::new().without_failure_rate().consecutive_failures_threshold(failures)
}

impl Bench {
    fn call(&self, outcome: Outcome) {
        self.breaker.try_acquire().unwrap().settle(outcome);
    }

    fn slow_call(&self, outcome: Outcome, duration: Duration) {
        let permit = self.breaker.try_acquire().unwrap();
        self.time.advance(duration);
        permit.settle(outcome);
    }

    fn calls(&self, count: usize, outcome: Outcome) {
        for _ in 0..count {
            self.call(outcome);
        }
    }

    fn state(&self) -> State {
        self.breaker.state()
    }

    /// Opens a breaker that opens on consecutive failures, and waits until it may probe.
    fn open_and_wait(&self) {
        while self.state() != State::Open {
            self.call(Outcome::ServerError);
        }
        self.time.advance(self.breaker.remaining().unwrap());
    }
}

#[test]
fn res_c1_a_million_successes_do_not_delay_the_opening() {
    let bench = bench(CircuitBreakerConfig::new());
    bench.calls(1_000_000, Outcome::Success);
    bench.calls(49, Outcome::ServerError);
    assert_eq!(bench.state(), State::Closed);
    bench.call(Outcome::ServerError);
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn res_c2_evaluation_begins_at_the_minimum_in_a_window_that_is_not_full() {
    let bench = bench(CircuitBreakerConfig::new().minimum_number_of_calls(10));
    bench.calls(9, Outcome::ServerError);
    assert_eq!(bench.state(), State::Closed);
    // The call that reaches the minimum need not fail itself.
    bench.call(Outcome::Success);
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn res_c2_a_minimum_above_the_window_is_a_build_error() {
    let config = CircuitBreakerConfig::new()
        .sliding_window(SlidingWindow::Count(10))
        .minimum_number_of_calls(11);
    let error = CircuitBreaker::builder("test").config(config).build().unwrap_err();
    assert_eq!((error.field(), error.value()), ("minimum_number_of_calls", "11"));
}

#[test]
fn res_c3_outcomes_older_than_the_time_window_do_not_count() {
    let window = SlidingWindow::Time(10 * SECOND);
    let bench =
        bench(CircuitBreakerConfig::new().sliding_window(window).minimum_number_of_calls(2));
    bench.calls(3, Outcome::Success);
    bench.calls(2, Outcome::ServerError);
    assert_eq!(bench.breaker.totals(), Totals { calls: 5, failures: 2, slow: 0 });
    bench.time.advance(10 * SECOND);
    assert_eq!(bench.breaker.totals(), Totals::default());
    bench.call(Outcome::ServerError);
    assert_eq!(bench.state(), State::Closed, "one call is below the minimum");
}

#[test]
fn res_c3_a_rate_that_rises_because_successes_grow_old_opens_with_the_next_call() {
    let window = SlidingWindow::Time(16 * SECOND);
    let bench =
        bench(CircuitBreakerConfig::new().sliding_window(window).minimum_number_of_calls(10));
    bench.calls(20, Outcome::Success);
    bench.time.advance(8 * SECOND);
    bench.calls(19, Outcome::ServerError);
    assert_eq!(bench.state(), State::Closed);
    bench.time.advance(8 * SECOND);
    bench.call(Outcome::Success);
    assert_eq!(bench.state(), State::Open, "19 of 20 failed");
}

#[test]
fn res_c4_a_rate_that_equals_its_threshold_opens() {
    let config = CircuitBreakerConfig::new().minimum_number_of_calls(4);
    let bench = bench(config.failure_rate_threshold(25.0));
    bench.calls(3, Outcome::Success);
    bench.call(Outcome::ServerError);
    assert_eq!(bench.state(), State::Open);
    assert_eq!(bench.breaker.transitions()[0].reason, Reason::FailureRate);
}

#[test]
fn res_c5_exactly_as_many_probes_as_permitted_pass_the_first_included() {
    let bench = bench(consecutive(1).permitted_calls_in_half_open(3));
    bench.open_and_wait();
    let probes: Vec<_> = (0..3).map(|_| bench.breaker.try_acquire().unwrap()).collect();
    assert_eq!(bench.state(), State::HalfOpen);
    assert_eq!(bench.breaker.try_acquire().unwrap_err().state(), State::HalfOpen);
    drop(probes);
}

#[test]
fn res_c5_threads_that_race_for_probes_get_exactly_as_many_as_permitted() {
    for _ in 0..50 {
        let bench = bench(consecutive(1).permitted_calls_in_half_open(5));
        bench.open_and_wait();
        let admitted = AtomicUsize::new(0);
        let permits = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        if let Ok(permit) = bench.breaker.try_acquire() {
                            admitted.fetch_add(1, Ordering::Relaxed);
                            permits.lock().unwrap().push(permit);
                        }
                    }
                });
            }
        });
        assert_eq!(admitted.load(Ordering::Relaxed), 5);
    }
}

#[test]
fn res_c6_a_cancelled_probe_gives_its_slot_back_and_records_nothing() {
    let bench = bench(consecutive(1).permitted_calls_in_half_open(1));
    bench.open_and_wait();
    let probe = bench.breaker.try_acquire().unwrap();
    assert!(bench.breaker.try_acquire().is_err());
    drop(probe);
    assert_eq!(bench.state(), State::HalfOpen);
    bench.call(Outcome::Success);
    assert_eq!(bench.state(), State::Closed);
}

#[test]
fn res_c7_a_call_admitted_while_closed_changes_nothing_in_half_open() {
    let bench = bench(consecutive(1).permitted_calls_in_half_open(2));
    let late: Vec<_> = (0..3).map(|_| bench.breaker.try_acquire().unwrap()).collect();
    bench.open_and_wait();
    let probe = bench.breaker.try_acquire().unwrap();
    let mut late = late.into_iter();
    late.next().unwrap().settle(Outcome::Success);
    late.next().unwrap().settle(Outcome::ServerError);
    drop(late);
    assert_eq!(bench.state(), State::HalfOpen);
    assert_eq!(bench.breaker.counters().outdated, 3, "the dropped one took a minute: a failure");
    let second = bench.breaker.try_acquire().unwrap();
    assert!(bench.breaker.try_acquire().is_err(), "no late call gave a slot back");
    probe.settle(Outcome::Success);
    second.settle(Outcome::Success);
    assert_eq!(bench.state(), State::Closed);
}

#[test]
fn res_c7_a_probe_that_outlives_its_cycle_does_not_count_in_the_next() {
    let config = consecutive(1).permitted_calls_in_half_open(2);
    let bench = bench(config.half_open_rule(HalfOpenRule::FirstFailure));
    bench.open_and_wait();
    let late = bench.breaker.try_acquire().unwrap();
    bench.call(Outcome::ServerError);
    assert_eq!(bench.state(), State::Open);
    bench.time.advance(bench.breaker.remaining().unwrap());
    let probe = bench.breaker.try_acquire().unwrap();
    late.settle(Outcome::ServerError);
    assert_eq!(bench.state(), State::HalfOpen);
    probe.settle(Outcome::Success);
    bench.call(Outcome::Success);
    assert_eq!(bench.state(), State::Closed);
}

#[test]
fn res_c7_what_hangs_since_before_a_recovery_does_not_open_it_again() {
    let config = consecutive(1)
        .permitted_calls_in_half_open(1)
        .slow_call_duration_threshold(8 * SECOND)
        .minimum_number_of_calls(3);
    let bench = bench(config);
    let hung: Vec<_> = (0..3).map(|_| bench.breaker.try_acquire().unwrap()).collect();
    bench.open_and_wait();
    bench.call(Outcome::Success);
    for _ in 0..10 {
        bench.time.advance(8 * SECOND);
        bench.call(Outcome::Success);
        assert_eq!(bench.state(), State::Closed);
    }
    assert_eq!(bench.breaker.machine().in_flight(), Some(3));
    drop(hung);
    assert_eq!(bench.breaker.machine().in_flight(), Some(0));
}

#[test]
fn res_t8_a_frozen_process_makes_no_call_slow_late_or_hung() {
    let config = CircuitBreakerConfig::new()
        .slow_call_duration_threshold(8 * SECOND)
        .minimum_number_of_calls(1)
        .consecutive_failures_threshold(1);
    let bench = bench(config);
    let ends = bench.breaker.try_acquire().unwrap();
    let dropped = {
        let _scope = Deadline::after(bench.breaker.clock().now(), 5 * SECOND).enter();
        bench.breaker.try_acquire().unwrap()
    };
    let goes_on = bench.breaker.try_acquire().unwrap();
    bench.time.advance(2 * SECOND);
    bench.time.freeze(3_600 * SECOND);
    drop(dropped);
    ends.settle(Outcome::Success);
    bench.call(Outcome::Success);
    assert_eq!((bench.state(), bench.breaker.counters().slow), (State::Closed, 0));
    assert_eq!(bench.breaker.counters().ignored, 1);
    bench.time.advance(6 * SECOND);
    goes_on.settle(Outcome::Success);
    assert_eq!(bench.breaker.counters().slow, 1, "eight seconds without the freeze");
}

#[test]
fn res_c8_a_probe_that_hangs_is_a_failed_probe() {
    let config = consecutive(1).permitted_calls_in_half_open(2).max_wait_in_half_open(5 * SECOND);
    let bench = bench(config);
    bench.open_and_wait();
    let hung = bench.breaker.try_acquire().unwrap();
    bench.call(Outcome::Success);
    bench.time.advance(5 * SECOND - Duration::from_millis(1));
    assert!(bench.breaker.try_acquire().is_err());
    assert_eq!(bench.state(), State::HalfOpen);
    bench.time.advance(Duration::from_millis(1));
    assert!(bench.breaker.try_acquire().is_err());
    assert_eq!(bench.state(), State::Open);
    drop(hung);
}

#[test]
fn res_c8_half_open_without_traffic_is_no_hung_probe() {
    let config = consecutive(1).permitted_calls_in_half_open(2).max_wait_in_half_open(5 * SECOND);
    let bench = bench(config);
    bench.open_and_wait();
    bench.call(Outcome::Success);
    bench.time.advance(3_600 * SECOND);
    bench.call(Outcome::Success);
    assert_eq!(bench.state(), State::Closed);
}

#[test]
fn res_c9_half_open_ends_by_rate_over_its_probes() {
    for (failures, state) in [(1, State::Closed), (2, State::Open)] {
        let config = CircuitBreakerConfig::new().minimum_number_of_calls(1);
        let bench = bench(config.permitted_calls_in_half_open(4));
        bench.open_and_wait();
        bench.calls(failures, Outcome::ServerError);
        bench.calls(4 - failures, Outcome::Success);
        assert_eq!(bench.state(), state, "{failures} of 4 failed");
    }
}

#[test]
fn res_c9_or_by_the_first_failure() {
    let config = CircuitBreakerConfig::new().minimum_number_of_calls(1);
    let config = config.permitted_calls_in_half_open(4).half_open_rule(HalfOpenRule::FirstFailure);
    let bench = bench(config);
    bench.open_and_wait();
    bench.call(Outcome::Success);
    bench.call(Outcome::ServerError);
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn res_c10_closing_empties_the_window() {
    let config = CircuitBreakerConfig::new().minimum_number_of_calls(2);
    let bench = bench(config.permitted_calls_in_half_open(1));
    bench.open_and_wait();
    bench.call(Outcome::Success);
    assert_eq!(bench.state(), State::Closed);
    assert_eq!(bench.breaker.totals(), Totals::default());
    bench.call(Outcome::ServerError);
    assert_eq!(bench.state(), State::Closed);
}

#[test]
fn res_c11_openings_in_a_row_wait_longer_up_to_a_cap_and_recovery_starts_anew() {
    let wait = OpenWait { initial: SECOND, multiplier: 3.0, max: 5 * SECOND, jitter: 0.0 };
    let bench = bench(consecutive(1).permitted_calls_in_half_open(1).open_wait(wait));
    for expected in [1, 3, 5, 5] {
        bench.call(Outcome::ServerError);
        assert_eq!(bench.breaker.remaining(), Some(expected * SECOND));
        bench.time.advance(expected * SECOND);
    }
    bench.call(Outcome::Success);
    assert_eq!(bench.state(), State::Closed);
    bench.call(Outcome::ServerError);
    assert_eq!(bench.breaker.remaining(), Some(SECOND));
}

#[test]
fn res_c11_jitter_spreads_the_open_wait() {
    let wait = OpenWait { jitter: 0.5, max: 20 * SECOND, ..OpenWait::fixed(10 * SECOND) };
    let waits = (0..50).map(|seed| {
        let breaker = CircuitBreaker::builder("j").config(consecutive(1).open_wait(wait));
        let breaker = breaker.clock(ManualClock::default().clock()).seed(seed).build().unwrap();
        breaker.try_acquire().unwrap().settle(Outcome::ServerError);
        breaker.remaining().unwrap()
    });
    let waits: std::collections::BTreeSet<_> = waits.collect();
    assert!(waits.len() > 40);
    assert!(waits.iter().all(|wait| (5 * SECOND..=15 * SECOND).contains(wait)));
    assert!(waits.first().unwrap() < &(7 * SECOND) && waits.last().unwrap() > &(13 * SECOND));
}

#[test]
fn res_c12_slow_successes_and_slow_failures_both_count_as_slow() {
    let config = CircuitBreakerConfig::new()
        .without_failure_rate()
        .slow_call_duration_threshold(SECOND)
        .slow_call_rate_threshold(50.0)
        .minimum_number_of_calls(4);
    let bench = bench(config);
    bench.calls(2, Outcome::ServerError);
    bench.slow_call(Outcome::Success, SECOND);
    assert_eq!(bench.state(), State::Closed);
    bench.slow_call(Outcome::ServerError, 2 * SECOND);
    assert_eq!(bench.state(), State::Open);
    assert_eq!(bench.breaker.transitions()[0].reason, Reason::SlowCallRate);
    assert_eq!(bench.breaker.counters().slow, 2);
}

#[test]
fn res_c13_calls_that_never_end_open_the_breaker_after_the_threshold_and_one_tick() {
    let config = CircuitBreakerConfig::new()
        .slow_call_duration_threshold(8 * SECOND)
        .minimum_number_of_calls(3);
    let bench = bench(config);
    let hung: Vec<_> = (0..3).map(|_| bench.breaker.try_acquire().unwrap()).collect();
    bench.time.advance(7 * SECOND);
    drop(bench.breaker.try_acquire());
    assert_eq!(bench.state(), State::Closed);
    bench.time.advance(2 * SECOND);
    drop(bench.breaker.try_acquire());
    assert_eq!(bench.state(), State::Open);
    assert_eq!(bench.breaker.transitions()[0].reason, Reason::HungCalls);
    drop(hung);
}

#[test]
fn res_c14_ignored_outcomes_change_no_rate_and_no_streak() {
    let config = CircuitBreakerConfig::new().minimum_number_of_calls(3);
    let bench = bench(config.consecutive_failures_threshold(3).failure_rate_threshold(100.0));
    for outcome in
        [Outcome::Rejected(Rejection::Bulkhead), Outcome::CancelledBeforeHeaders, Outcome::Shutdown]
    {
        bench.calls(2, Outcome::ServerError);
        bench.calls(5, outcome);
        assert_eq!(bench.breaker.totals().calls, 2);
        bench.breaker.close();
    }
    bench.calls(2, Outcome::ServerError);
    bench.call(Outcome::Shutdown);
    bench.call(Outcome::ServerError);
    assert_eq!(bench.state(), State::Open, "the streak went on");
    assert_eq!(bench.breaker.counters().ignored, 16);
}

#[test]
fn res_c15_a_call_dropped_after_its_deadline_is_a_failure() {
    let bench = bench(consecutive(1));
    let deadline = Deadline::after(bench.breaker.clock().now(), SECOND);
    let permit = {
        let _scope = deadline.enter();
        bench.breaker.try_acquire().unwrap()
    };
    bench.time.advance(SECOND);
    drop(permit);
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn res_o3_a_dropped_call_is_no_success_and_a_failure_only_when_slow() {
    let bench = bench(consecutive(1).slow_call_duration_threshold(SECOND));
    drop(bench.breaker.try_acquire());
    assert_eq!((bench.state(), bench.breaker.totals().calls), (State::Closed, 0));
    let permit = bench.breaker.try_acquire();
    bench.time.advance(SECOND);
    drop(permit);
    assert_eq!(bench.state(), State::Open);
}

#[test]
fn res_g11_a_panic_is_one_failure() {
    let bench = bench(consecutive(1));
    let breaker = bench.breaker.clone();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _permit = breaker.try_acquire().unwrap();
        std::panic::resume_unwind(Box::new("handler"));
    }));
    assert!(panicked.is_err());
    assert_eq!(bench.state(), State::Open);
    assert_eq!(bench.breaker.counters().failed, 1);
}

#[test]
fn res_c16_orders_of_an_operator_last_until_revoked_or_their_time_limit() {
    let bench = bench(consecutive(1));
    bench.breaker.force_open(None);
    bench.time.advance(86_400 * SECOND);
    assert_eq!(bench.breaker.try_acquire().unwrap_err().state(), State::ForcedOpen);
    bench.breaker.disable(Some(60 * SECOND));
    bench.calls(9, Outcome::ServerError);
    assert_eq!((bench.state(), bench.breaker.totals().calls), (State::Disabled, 0));
    bench.time.advance(60 * SECOND);
    bench.call(Outcome::Success);
    assert_eq!(bench.state(), State::Closed);
    assert_eq!(bench.breaker.transitions().last().unwrap().reason, Reason::OverrideExpired);
    bench.breaker.metrics_only(None);
    bench.calls(9, Outcome::ServerError);
    assert_eq!((bench.state(), bench.breaker.totals().failures), (State::MetricsOnly, 9));
}

#[test]
fn res_c17_a_refusal_says_how_long_the_breaker_stays_open() {
    let bench = bench(consecutive(1).wait_duration_in_open_state(10 * SECOND));
    bench.call(Outcome::ServerError);
    bench.time.advance(3 * SECOND);
    assert_eq!(bench.breaker.try_acquire().unwrap_err().retry_after(), Some(7 * SECOND));
    bench.breaker.force_open(Some(5 * SECOND));
    assert_eq!(bench.breaker.try_acquire().unwrap_err().retry_after(), Some(5 * SECOND));
    bench.breaker.force_open(None);
    assert_eq!(bench.breaker.try_acquire().unwrap_err().retry_after(), None);
    assert_eq!(bench.breaker.counters().not_permitted, 3);
}

#[test]
fn res_c17_a_refusal_takes_no_lock() {
    let bench = bench(consecutive(1));
    bench.call(Outcome::ServerError);
    let breaker = bench.breaker.clone();
    let _held = sync::lock(&bench.breaker.machine().cold);
    let refused = std::thread::spawn(move || breaker.try_acquire().unwrap_err().state());
    assert_eq!(refused.join().unwrap(), State::Open);
}

#[test]
fn res_c14_what_an_outcome_means_can_be_chosen() {
    let verdict = |outcome| match outcome {
        Outcome::ClientError => Verdict::Failure,
        Outcome::ServerError => Verdict::Ignored,
        outcome => Verdict::of(outcome),
    };
    let breaker = CircuitBreaker::builder("v").config(consecutive(1)).verdict(verdict);
    let breaker = breaker.build().unwrap();
    breaker.try_acquire().unwrap().settle(Outcome::ServerError);
    assert_eq!((breaker.state(), breaker.counters().ignored), (State::Closed, 1));
    breaker.try_acquire().unwrap().settle(Outcome::ClientError);
    assert_eq!(breaker.state(), State::Open);
}

mod recorder {
    use std::collections::BTreeMap;

    use super::*;
    use crate::metric::{
        Counter, CounterCell, Descriptor, Gauge, GaugeCell, Histogram, Label, Recorder,
    };

    #[derive(Debug, Default)]
    pub(super) struct Memory(pub(super) Arc<Mutex<BTreeMap<String, f64>>>);

    #[derive(Debug)]
    struct Cell(Arc<Mutex<BTreeMap<String, f64>>>, String);

    impl Memory {
        fn cell(&self, metric: &Descriptor, labels: &[Label<'_>]) -> Arc<Cell> {
            let name = labels.iter().fold(metric.name.to_owned(), |n, (_, v)| format!("{n} {v}"));
            self.0.lock().unwrap().insert(name.clone(), 0.0);
            Arc::new(Cell(Arc::clone(&self.0), name))
        }
    }

    impl CounterCell for Cell {
        #[allow(clippy::cast_precision_loss)]
        fn add(&self, value: u64) {
            *self.0.lock().unwrap().get_mut(&self.1).unwrap() += value as f64;
        }
    }

    impl GaugeCell for Cell {
        fn set(&self, value: f64) {
            *self.0.lock().unwrap().get_mut(&self.1).unwrap() = value;
        }
        fn add(&self, delta: f64) {
            *self.0.lock().unwrap().get_mut(&self.1).unwrap() += delta;
        }
    }

    impl Recorder for Memory {
        fn counter(&self, metric: &Descriptor, labels: &[Label<'_>]) -> Counter {
            Counter::new(self.cell(metric, labels))
        }
        fn gauge(&self, metric: &Descriptor, labels: &[Label<'_>]) -> Gauge {
            Gauge::new(self.cell(metric, labels))
        }
        fn histogram(&self, _: &Descriptor, _: &[Label<'_>]) -> Histogram {
            Histogram::disabled()
        }
    }
}

#[test]
fn res_c18_exactly_one_state_series_is_one() {
    let memory = recorder::Memory::default();
    let series = Arc::clone(&memory.0);
    let time = ManualClock::default();
    let breaker = CircuitBreaker::builder("pay").config(consecutive(1)).clock(time.clock());
    let breaker = breaker.recorder(&memory).build().unwrap();
    let ones = || {
        let series = series.lock().unwrap();
        let states = series.iter().filter(|(name, _)| name.starts_with("CircuitBreakerState pay "));
        assert_eq!(states.clone().count(), 6);
        states.filter(|(_, value)| **value == 1.0).map(|(name, _)| name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ones(), ["CircuitBreakerState pay closed"]);
    breaker.try_acquire().unwrap().settle(Outcome::ServerError);
    assert_eq!(ones(), ["CircuitBreakerState pay open"]);
    time.advance(60 * SECOND);
    drop(breaker.try_acquire());
    assert_eq!(ones(), ["CircuitBreakerState pay half_open"]);
    breaker.close();
    assert_eq!(ones(), ["CircuitBreakerState pay closed"]);
    let series = series.lock().unwrap();
    assert_eq!(series["CircuitBreakerCalls pay failure"], 1.0);
    assert_eq!(series["CircuitBreakerCalls pay ignored"], 1.0);
}

#[test]
fn res_c19_listeners_run_once_in_order_and_may_call_back() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let bench = bench(consecutive(1));
    let (breaker, seen) = (bench.breaker.clone(), Arc::clone(&told));
    bench.breaker.on_transition(move |transition| {
        seen.lock().unwrap().push((transition.from, transition.to, breaker.state()));
        if transition.to == State::Open {
            breaker.disable(None);
            breaker.force_open(None);
        }
    });
    bench.call(Outcome::ServerError);
    assert_eq!(
        *told.lock().unwrap(),
        [
            (State::Closed, State::Open, State::Open),
            (State::Open, State::Disabled, State::ForcedOpen),
            (State::Disabled, State::ForcedOpen, State::ForcedOpen),
        ]
    );
}

#[test]
fn res_c19_a_listener_that_panics_fails_no_call_and_silences_nobody() {
    let told = Arc::new(AtomicUsize::new(0));
    let bench = bench(consecutive(1));
    bench.breaker.on_transition(|_| std::panic::resume_unwind(Box::new("listener")));
    let seen = Arc::clone(&told);
    bench.breaker.on_transition(move |_| _ = seen.fetch_add(1, Ordering::Relaxed));
    bench.call(Outcome::ServerError);
    bench.breaker.close();
    assert_eq!(told.load(Ordering::Relaxed), 2);
}

fn keyed(max: usize, time: &ManualClock, controls: &Registry) -> CircuitBreakers {
    let config = consecutive(1).sliding_window(SlidingWindow::Time(10 * SECOND));
    CircuitBreakers::with("t", max, time.clock(), Some(controls.clone()), move |builder| {
        builder.config(config.clone())
    })
    .unwrap()
}

#[test]
fn res_c20_made_up_keys_push_out_idle_breakers_but_no_open_one() {
    let (time, controls) = (ManualClock::default(), Registry::default());
    let tenants = keyed(3, &time, &controls);
    tenants.get("open").try_acquire().unwrap().settle(Outcome::ServerError);
    tenants.get("busy").try_acquire().unwrap().settle(Outcome::Success);
    drop(tenants.get("idle"));
    for attempt in 0..10_000 {
        time.advance(Duration::from_micros(500));
        drop(tenants.get(&format!("made-up-{attempt}")));
    }
    assert_eq!(tenants.len(), 3);
    assert_eq!(tenants.get("open").state(), State::Open);
    assert_eq!(tenants.get("busy").totals().calls, 1);
    assert_eq!(controls.list().len(), 4, "three keys and the overflow");
}

#[test]
fn res_c20_when_all_places_are_in_use_new_keys_share_one_breaker() {
    let (time, controls) = (ManualClock::default(), Registry::default());
    let tenants = keyed(1, &time, &controls);
    let held = tenants.get("a");
    assert_eq!(&**tenants.get("b").name(), "t/__other__");
    assert_eq!(&**tenants.get("c").name(), "t/__other__");
    drop(held);
    time.advance(2 * SECOND);
    assert_eq!(&**tenants.get("b").name(), "t/b");
    let hostile = tenants.get("\u{0}<script>");
    assert!(hostile.name().len() <= 128);
}

#[test]
fn res_a1_a_knob_changes_the_next_admission_on_all_clones() {
    let bench = bench(consecutive(5));
    let clone = bench.breaker.clone();
    let under_way = clone.try_acquire().unwrap();
    bench.calls(2, Outcome::ServerError);
    bench.breaker.reconfigure(consecutive(3)).unwrap();
    under_way.settle(Outcome::ServerError);
    assert_eq!(clone.state(), State::Open);
}

#[test]
fn res_a2_an_invalid_value_leaves_every_knob_as_it_was() {
    let bench = bench(consecutive(5));
    let before = bench.breaker.config();
    let action = Action::new("configure")
        .argument("consecutive_failures_threshold", 1)
        .argument("failure_rate_threshold", 140);
    let error = bench.breaker.apply(&action).unwrap_err();
    assert_eq!(error.kind(), ActionErrorKind::Invalid);
    assert_eq!(bench.breaker.config(), before);
    for (knob, value) in [("probes", 3.into()), ("shadow", serde_json::json!("yes"))] {
        let action = Action::new("configure").argument(knob, value);
        assert!(bench.breaker.apply(&action).is_err(), "{knob}");
    }
    let window = consecutive(5).sliding_window(SlidingWindow::Count(7));
    assert_eq!(bench.breaker.reconfigure(window).unwrap_err().field(), "sliding_window");
    bench
        .breaker
        .apply(&Action::new("configure").argument("permitted_calls_in_half_open", 2))
        .unwrap();
    assert_eq!(bench.breaker.config(), before.permitted_calls_in_half_open(2));
}

#[test]
fn res_a1_an_operator_can_change_every_knob_and_sees_what_it_is() {
    let bench = bench(CircuitBreakerConfig::new());
    for (knob, value) in [
        ("minimum_number_of_calls", serde_json::json!(7)),
        ("failure_rate_threshold", 12.5.into()),
        ("slow_call_rate_threshold", 34.5.into()),
        ("slow_call_duration_threshold_ms", 1_500.into()),
        ("consecutive_failures_threshold", 4.into()),
        ("wait_duration_in_open_state_ms", 90_000.into()),
        ("permitted_calls_in_half_open", 3.into()),
        ("half_open_rule", "first_failure".into()),
        ("max_wait_in_half_open_ms", 2_500.into()),
        ("shadow", true.into()),
    ] {
        let configure = |value| Action::new("configure").argument(knob, value);
        bench.breaker.apply(&configure(value.clone())).unwrap();
        let snapshot = Control::snapshot(&bench.breaker);
        assert_eq!(snapshot["config"][knob], value, "{knob}");
        assert!(bench.breaker.apply(&configure("nonsense".into())).is_err(), "{knob}");
    }
    assert_eq!(bench.breaker.config().half_open_rule, HalfOpenRule::FirstFailure);
}

#[test]
fn res_c1_and_c3_what_threads_record_at_once_adds_up() {
    const THREADS: u32 = 6;
    const EACH: u32 = 5_000;
    for window in [SlidingWindow::Time(60 * SECOND), SlidingWindow::Count(THREADS * EACH)] {
        let config = CircuitBreakerConfig::new().without_failure_rate().sliding_window(window);
        let bench = bench(config);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let breaker = bench.breaker.clone();
                scope.spawn(move || {
                    for call in 0..EACH {
                        let mut permit = breaker.try_begin_at(breaker.clock().coarse()).unwrap();
                        if (call + thread) % 2 == 0 {
                            permit.waits(None);
                        }
                        let failed = call % 5 == 0;
                        permit.end(if failed { Outcome::ServerError } else { Outcome::Success });
                    }
                });
            }
        });
        let (calls, failures) = (THREADS * EACH, THREADS * EACH / 5);
        assert_eq!(bench.breaker.totals(), Totals { calls, failures, slow: 0 });
        assert_eq!(bench.breaker.counters().failed, u64::from(failures));
        assert_eq!(bench.breaker.machine().in_flight(), Some(0));
        assert_eq!(bench.breaker.handles(), 1, "no call holds on to it any more");
    }
}

#[test]
fn res_c1_of_failures_that_threads_record_at_once_the_last_opens_it() {
    for window in [SlidingWindow::Time(60 * SECOND), SlidingWindow::Count(100)] {
        for _ in 0..200 {
            let config = CircuitBreakerConfig::new().sliding_window(window);
            let bench = bench(config.minimum_number_of_calls(8));
            let permits: Vec<_> = (0..8).map(|_| bench.breaker.try_acquire().unwrap()).collect();
            std::thread::scope(|scope| {
                for permit in permits {
                    scope.spawn(move || permit.settle(Outcome::ServerError));
                }
            });
            assert_eq!(bench.state(), State::Open);
        }
    }
}

#[test]
fn res_a3_an_override_carries_who_and_why_and_reverts_by_itself() {
    let bench = bench(consecutive(1));
    let action = Action::new("force_open").reason("migration").argument("actor", "ann");
    bench.breaker.apply(&action.ttl(60 * SECOND)).unwrap();
    let snapshot = Control::snapshot(&bench.breaker);
    assert_eq!(snapshot["state"], "forced_open");
    assert_eq!(snapshot["remaining_ms"], 60_000);
    assert_eq!(snapshot["transitions"][0]["note"], "ann: migration");
    bench.time.advance(60 * SECOND);
    bench.call(Outcome::Success);
    assert_eq!(bench.state(), State::Closed);
    let error = bench.breaker.apply(&Action::new("explode")).unwrap_err();
    assert_eq!(error.kind(), ActionErrorKind::Unknown);
}

#[test]
fn res_a4_shadow_mode_decides_and_records_but_admits() {
    let bench = bench(consecutive(1).shadow(true).permitted_calls_in_half_open(1));
    bench.call(Outcome::ServerError);
    assert_eq!(bench.state(), State::Open);
    let admitted = bench.breaker.try_acquire().unwrap();
    assert!(admitted.is_shadow());
    admitted.settle(Outcome::Success);
    assert_eq!(bench.state(), State::Open);
    assert_eq!(bench.breaker.counters().not_permitted, 1);
    bench.time.advance(60 * SECOND);
    bench.call(Outcome::Success);
    assert_eq!(bench.state(), State::Closed);
}

#[test]
fn fewer_permitted_probes_than_have_ended_still_end_half_open() {
    let bench = bench(consecutive(1).permitted_calls_in_half_open(5));
    bench.open_and_wait();
    bench.calls(3, Outcome::Success);
    let cancelled = bench.breaker.try_acquire();
    bench.breaker.reconfigure(consecutive(1).permitted_calls_in_half_open(2)).unwrap();
    drop(cancelled);
    bench.call(Outcome::Success);
    assert_eq!(bench.state(), State::Closed);
}

#[test]
fn names_that_operators_could_not_use_are_refused() {
    for name in ["", "a b", "ümlaut", &"x".repeat(129)] {
        let error = CircuitBreaker::builder(name).build().unwrap_err();
        assert_eq!((error.field(), error.value()), ("name", name));
    }
}

#[test]
fn each_setting_is_checked() {
    let fine = CircuitBreakerConfig::new;
    for (config, field) in [
        (fine().sliding_window(SlidingWindow::Count(0)), "sliding_window_size"),
        (fine().sliding_window(SlidingWindow::Time(Duration::ZERO)), "sliding_window_length"),
        (fine().minimum_number_of_calls(0), "minimum_number_of_calls"),
        (fine().failure_rate_threshold(f64::NAN), "failure_rate_threshold"),
        (fine().slow_call_rate_threshold(100.1), "slow_call_rate_threshold"),
        (fine().slow_call_duration_threshold(Duration::ZERO), "slow_call_duration_threshold"),
        (fine().consecutive_failures_threshold(0), "consecutive_failures_threshold"),
        (fine().wait_duration_in_open_state(Duration::ZERO), "open_wait.initial"),
        (fine().permitted_calls_in_half_open(256), "permitted_calls_in_half_open"),
        (fine().max_wait_in_half_open(Duration::ZERO), "max_wait_in_half_open"),
        (fine().open_wait(OpenWait { jitter: 2.0, ..OpenWait::fixed(SECOND) }), "open_wait.jitter"),
        (
            fine().open_wait(OpenWait { multiplier: 0.5, ..OpenWait::fixed(SECOND) }),
            "open_wait.multiplier",
        ),
        (
            fine().open_wait(OpenWait { max: Duration::ZERO, ..OpenWait::fixed(SECOND) }),
            "open_wait.max",
        ),
    ] {
        assert_eq!(config.validate().unwrap_err().field(), field);
    }
}

proptest! {
    #[test]
    fn an_open_wait_never_exceeds_its_cap_nor_overflows(
        initial_ms in 1_u64..86_400_000, multiplier in 1.0..10.0, jitter in 0.0..1.0,
        extra_ms in 0_u64..86_400_000, previous: u32, random in 0.0..1.0,
    ) {
        let initial = Duration::from_millis(initial_ms);
        let max = initial + Duration::from_millis(extra_ms);
        let wait = OpenWait { initial, multiplier, max, jitter }.wait(previous, random);
        prop_assert!(wait <= max);
    }

    /// Whatever happens in whatever order: every call is counted once, gauges return to zero, and
    /// no more probes than permitted are ever under way.
    #[test]
    fn any_sequence_of_calls_keeps_the_books(
        steps in prop::collection::vec((0_u8..7, any::<prop::sample::Index>(), 0_u64..40), 1..300),
    ) {
        let time = ManualClock::default();
        let config = CircuitBreakerConfig::new()
            .sliding_window(SlidingWindow::Time(10 * SECOND))
            .minimum_number_of_calls(3)
            .slow_call_duration_threshold(20 * SECOND)
            .wait_duration_in_open_state(5 * SECOND)
            .permitted_calls_in_half_open(2)
            .max_wait_in_half_open(30 * SECOND);
        let breaker = CircuitBreaker::builder("p").config(config).clock(time.clock()).build().unwrap();
        let mut permits = Vec::new();
        let (mut refused, mut failed) = (0, 0);
        for (step, which, seconds) in steps {
            time.advance(Duration::from_millis(seconds * 100));
            match step {
                0..=2 => match breaker.try_acquire() {
                    Ok(permit) => permits.push(permit),
                    Err(_) => refused += 1,
                },
                _ if permits.is_empty() => {}
                _ => {
                    let permit: Permit = permits.swap_remove(which.index(permits.len()));
                    match step {
                        3 | 4 => permit.settle(Outcome::Success),
                        5 => { failed += 1; permit.settle(Outcome::ServerError); }
                        _ => permit.release(),
                    }
                }
            }
            prop_assert_eq!(breaker.counters().not_permitted, refused);
            prop_assert_eq!(breaker.counters().failed, failed);
        }
        permits.into_iter().for_each(Permit::release);
        prop_assert_eq!(breaker.machine().in_flight(), Some(0));
        let totals = breaker.totals();
        prop_assert!(totals.failures <= totals.calls && totals.slow <= totals.calls);
    }
}

#[test]
fn a_breaker_works_on_the_system_clock() {
    let breaker = CircuitBreaker::builder("real").clock(Clock::system()).build().unwrap();
    breaker.try_acquire().unwrap().settle(Outcome::Success);
    assert_eq!(breaker.totals().calls, 1);
}
