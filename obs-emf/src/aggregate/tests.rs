use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use obs_core::clock::ManualClock;
use obs_core::environment::Environment;
use obs_core::id::TraceId;
use obs_core::metric::{Descriptor, Unit};
use obs_core::output::Output;
use obs_core::telemetry::Telemetry;
use proptest::prelude::*;

use super::*;
use crate::cardinality::{Guard, Overflow};
use crate::declare::{Metric, Resolution, Shape};
use crate::encode::Record;
use crate::ledger::{DropReason, Repair};
use crate::limits::Transport;
use crate::lint::{Linter, Metrics, assert_metric};
use crate::sink::{LineSink, Sink};

const LIMIT: Duration = Duration::from_secs(30);
const ROWS: Descriptor = Descriptor::new("Rows", Unit::Count, "");

fn events(mode: Mode) -> EventAggregator {
    let shape = Shape::builder("Shop")
        .dimension_set(["Route"])
        .metric(("Requests", Unit::Count))
        .metric(("Latency", Unit::Milliseconds))
        .build()
        .unwrap();
    EventAggregator::new(shape, mode, ManualClock::default().clock()).slowest_by(1)
}

fn trace(id: u128) -> TraceId {
    TraceId::new(id).unwrap()
}

fn drained(events: &EventAggregator) -> (String, Metrics) {
    let (output, captured) = Output::captured();
    let clock = ManualClock::default().clock();
    let sink = LineSink::to(output, "orders", Transport::ContainerStdout, clock);
    events.drain(&sink);
    assert!(sink.shutdown(LIMIT));
    (captured.text(), Metrics::read(&captured.text()))
}

#[test]
fn per_request_events_carry_their_own_metrics() {
    let events = events(Mode::PerRequest);
    let emission = events.observe(&["/a"], &[1.0, 2.0], &[], Exemplar::default());
    assert!(emission.line && emission.metrics);
    assert_eq!(drained(&events).0, "");
}

#[test]
fn aggregated_events_make_one_line_for_each_key_with_exemplars() {
    let events = events(Mode::Aggregated);
    let (slow, failed) = (trace(0xa), trace(0xb));
    for latency in 1..=100 {
        let trace = (latency == 100).then_some(slow);
        let values = [1.0, f64::from(latency)];
        let emission =
            events.observe(&["/a"], &values, &[(&ROWS, 7.0)], Exemplar::new(trace, false));
        assert!(emission.line && !emission.metrics && emission.weight.is_none());
    }
    events.observe(&["/b"], &[1.0, 3.0], &[], Exemplar::new(Some(failed), true));
    assert_eq!(events.ledger().pending, 302);
    let (text, metrics) = drained(&events);
    let latency = assert_metric(&metrics, "Latency", &[("Route", "/a")]);
    assert_eq!(latency.count(), 100.0);
    assert!((latency.percentile(50.0) - 50.0).abs() <= 0.5);
    assert_eq!(assert_metric(&metrics, "Requests", &[("Route", "/a")]).sum(), 100.0);
    assert_eq!(assert_metric(&metrics, "Rows", &[("Route", "/a")]).sum(), 700.0);
    assert!(text.contains(&format!("\"slowest_trace_id\":\"{}\"", slow.to_hex().as_str())));
    assert!(text.contains(&format!("\"error_trace_id\":\"{}\"", failed.to_hex().as_str())));
    assert_eq!(drained(&events).0, "", "the next window is empty");
}

#[test]
fn hybrid_keeps_errors_the_slowest_and_one_in_k_with_weights() {
    let events = events(Mode::Hybrid { one_in: 10 });
    let (weights, lines) = (Cell::new(0), Cell::new(0));
    let observe = |latency: f64, is_error| {
        let values = [1.0, latency];
        let emission = events.observe(&["/a"], &values, &[], Exemplar::new(None, is_error));
        assert_eq!(emission.line, emission.weight.is_some());
        weights.set(weights.get() + emission.weight.unwrap_or(0));
        lines.set(lines.get() + u32::from(emission.line));
        emission
    };
    assert_eq!(observe(500.0, false).weight, Some(1), "the slowest so far");
    for _ in 0..1_000 {
        observe(5.0, false);
    }
    assert_eq!(observe(5.0, true).weight, Some(1), "an error");
    assert_eq!(observe(501.0, false).weight, Some(1), "slower still");
    assert_eq!(weights.get(), 1_003);
    assert_eq!(lines.get(), 103);
    let (_, metrics) = drained(&events);
    assert_eq!(assert_metric(&metrics, "Requests", &[("Route", "/a")]).sum(), 1_003.0);
    assert_eq!(observe(1.0, false).weight, Some(1), "a new window has a slowest of its own");
}

#[test]
fn keys_beyond_the_bound_go_under_other() {
    let events = events(Mode::Aggregated).max_keys(3);
    for key in 0..10 {
        events.observe(&[&format!("/{key}")], &[1.0, 1.0], &[], Exemplar::default());
    }
    let (_, metrics) = drained(&events);
    assert_eq!(assert_metric(&metrics, "Requests", &[("Route", "__other__")]).sum(), 7.0);
    assert_eq!(events.ledger().repaired(Repair::SeriesBudget), 7);
}

#[test]
fn hybrid_chooses_by_the_trace_so_that_services_keep_the_same_events() {
    let kept = |events: &EventAggregator| -> Vec<u128> {
        let observe = |id: &u128| {
            let exemplar = Exemplar::new(Some(trace(*id)), false);
            events.observe(&["/a"], &[1.0, 0.0], &[], exemplar).line
        };
        (1..100).filter(observe).collect()
    };
    let (one, other) = (events(Mode::Hybrid { one_in: 10 }), events(Mode::Hybrid { one_in: 10 }));
    other.observe(&["/a"], &[1.0, 9.0], &[], Exemplar::default());
    let by_trace = [10, 20, 30, 40, 50, 60, 70, 80, 90];
    assert_eq!(kept(&one)[1..], by_trace, "beside the first, which is the slowest so far");
    assert_eq!(kept(&other), by_trace);
    let notable = Exemplar::new(Some(trace(11)), false).notable();
    assert_eq!(one.observe(&["/a"], &[1.0, 0.0], &[], notable).weight, Some(1));
}

#[test]
fn a_bare_line_has_its_dimensions_as_properties() {
    let (output, captured) = Output::captured();
    let clock = ManualClock::default().clock();
    let now = clock.wall();
    let sink = LineSink::to(output, "orders", Transport::Api, clock);
    let events = events(Mode::Aggregated);
    let shape = events.shape().clone();
    events.emit(&Record::new(&shape, now).dimensions(&["/a"]).values(&[1.0, 1.0]), &sink);
    assert!(sink.flush(LIMIT));
    assert!(captured.text().ends_with("\"service\":\"orders\",\"Route\":\"/a\"}\n"));
}

/// Events with a route and a tenant, each in a set of its own and both in one; one tenant only.
fn guarded(mode: Mode, overflow: Overflow) -> EventAggregator {
    let shape = Shape::builder("Shop")
        .dimension_set(["Route"])
        .dimension_set(["Route", "Tenant"])
        .metric(("Requests", Unit::Count))
        .build()
        .unwrap();
    let clock = ManualClock::default().clock();
    let guard = Guard::new(1, overflow, clock.clone()).unwrap().budget_of("Route", 9).unwrap();
    EventAggregator::new(shape, mode, clock).guard(guard)
}

/// The lines and metrics of three events, of which two have a tenant above the budget.
fn of_three_tenants(events: &EventAggregator) -> (Vec<String>, Metrics) {
    let (output, captured) = Output::captured();
    let clock = ManualClock::default().clock();
    let now = clock.wall();
    let sink = LineSink::to(output, "orders", Transport::Api, clock);
    for tenant in ["a", "b", "c"] {
        let dimensions = ["/x", tenant];
        let record = Record::new(events.shape(), now).dimensions(&dimensions).values(&[1.0]);
        events.emit(&record, &sink);
    }
    events.drain(&sink);
    assert!(sink.shutdown(LIMIT));
    let mut ledger = sink.ledger();
    ledger.add(&events.ledger());
    assert!(ledger.is_conserved(), "{ledger:?}");
    assert_eq!(ledger.repaired(Repair::SeriesBudget), 2);
    (captured.lines(), Metrics::read(&captured.text()))
}

const MODES: [Mode; 2] = [Mode::PerRequest, Mode::Aggregated];

#[test]
fn above_the_budget_a_value_becomes_other() {
    for mode in MODES {
        let (_, metrics) = of_three_tenants(&guarded(mode, Overflow::Other));
        let of =
            |tenant| assert_metric(&metrics, "Requests", &[("Route", "/x"), ("Tenant", tenant)]);
        assert_eq!((of("a").sum(), of("__other__").sum()), (1.0, 2.0));
        assert_eq!(assert_metric(&metrics, "Requests", &[("Route", "/x")]).sum(), 3.0);
    }
}

#[test]
fn above_the_budget_a_dimension_is_demoted_to_a_property() {
    for mode in MODES {
        let (lines, metrics) = of_three_tenants(&guarded(mode, Overflow::Demote));
        // Both sets become the one of the route, which counts once.
        assert_eq!(assert_metric(&metrics, "Requests", &[("Route", "/x")]).sum(), 3.0);
        assert_eq!(metrics.find("Requests", &[("Route", "/x"), ("Tenant", "b")]), None);
        let with_b = lines.iter().find(|line| line.contains("\"Tenant\":\"b\"")).unwrap();
        assert_eq!(with_b.contains("_aws"), mode == Mode::PerRequest, "{with_b}");
        assert!(!with_b.contains("[\"Route\",\"Tenant\"]"), "{with_b}");
    }
}

#[test]
fn above_the_budget_the_sets_of_a_dimension_are_dropped() {
    for mode in MODES {
        let (_, metrics) = of_three_tenants(&guarded(mode, Overflow::DropSet));
        assert_eq!(assert_metric(&metrics, "Requests", &[("Route", "/x")]).sum(), 3.0);
        let series: std::collections::BTreeSet<_> =
            metrics.points().map(|point| point.series.dimensions.clone()).collect();
        assert_eq!(series.len(), 2, "{series:?}");
    }
}

#[test]
fn an_event_that_is_left_no_dimension_set_is_lost_and_counted() {
    for mode in MODES {
        let shape = Shape::builder("Shop")
            .dimension_set(["Tenant"])
            .metric(("Requests", Unit::Count))
            .build()
            .unwrap();
        let clock = ManualClock::default().clock();
        let guard = Guard::new(1, Overflow::DropSet, clock.clone()).unwrap();
        let events = EventAggregator::new(shape.clone(), mode, clock.clone()).guard(guard);
        let (output, captured) = Output::captured();
        let sink = LineSink::to(output, "orders", Transport::Api, clock.clone());
        for tenant in ["a", "b"] {
            let dimensions = [tenant];
            let record = Record::new(&shape, clock.wall()).dimensions(&dimensions).values(&[1.0]);
            events.emit(&record.extras(&[(&ROWS, 2.0)]), &sink);
        }
        events.drain(&sink);
        assert!(sink.shutdown(LIMIT));
        assert_eq!(events.ledger().dropped_for(DropReason::SeriesBudget), 2);
        let mut ledger = sink.ledger();
        ledger.add(&events.ledger());
        assert!(ledger.is_conserved());
        assert_eq!((ledger.appended, ledger.emitted), (4, 2));
        // The event itself is not lost.
        assert!(captured.text().contains("\"Tenant\":\"b\""));
    }
}

#[test]
fn a_series_that_goes_on_keeps_its_place_in_the_next_hour() {
    let manual = ManualClock::default();
    let shape = guarded(Mode::Aggregated, Overflow::Other).shape().clone();
    let guard = Guard::new(1, Overflow::Other, manual.clock()).unwrap();
    let events = EventAggregator::new(shape, Mode::Aggregated, manual.clock()).guard(guard);
    events.observe(&["/x", "a"], &[1.0], &[], Exemplar::default());
    manual.advance(Duration::from_secs(3_600));
    drained(&events);
    events.observe(&["/x", "b"], &[1.0], &[], Exemplar::default());
    let (_, metrics) = drained(&events);
    assert_eq!(metrics.find("Requests", &[("Route", "/x"), ("Tenant", "b")]), None);
}

#[test]
fn series_are_counted_as_cloudwatch_bills_them() {
    let events = guarded(Mode::Aggregated, Overflow::Other);
    for route in ["/x", "/y"] {
        events.observe(&[route, "a"], &[1.0], &[(&ROWS, 1.0)], Exemplar::default());
        events.observe(&[route, "b"], &[1.0], &[], Exemplar::default());
    }
    // Two metrics of two routes; with their tenants `a` and `__other__`, the one without rows.
    assert_eq!((events.size(), events.series()), (4, 2 * 2 + 2 * 2 + 2));
}

#[test]
fn keys_without_events_are_forgotten() {
    let events = events(Mode::Aggregated);
    events.observe(&["/a"], &[1.0, 1.0], &[], Exemplar::default());
    for _ in 0..8 {
        drained(&events);
    }
    assert_eq!(events.size(), 0);
}

#[test]
fn events_of_ones_own_are_written_as_the_mode_says() {
    for (mode, lines, with_metrics) in [
        (Mode::PerRequest, 20, true),
        (Mode::Aggregated, 20, false),
        (Mode::Hybrid { one_in: 5 }, 4, false),
    ] {
        let (output, captured) = Output::captured();
        let clock = ManualClock::default().clock();
        let now = clock.wall();
        let sink = LineSink::to(output, "orders", Transport::Api, clock);
        let events = events(mode);
        let shape = events.shape().clone();
        for _ in 0..20 {
            let record = Record::new(&shape, now).dimensions(&["/a"]).values(&[1.0, 1.0]);
            events.emit(&record.fields(&[("order", "o-1".into())]), &sink);
        }
        assert!(sink.flush(LIMIT));
        assert_eq!(captured.lines().len(), lines, "{mode:?}");
        assert!(captured.lines().iter().all(|line| line.contains("\"order\":\"o-1\"")));
        assert_eq!(captured.text().contains("_aws"), with_metrics);
        events.drain(&sink);
        assert!(sink.shutdown(LIMIT));
        let metrics = Metrics::read(&captured.text());
        assert_eq!(assert_metric(&metrics, "Requests", &[("Route", "/a")]).sum(), 20.0);
    }
}

#[test]
fn a_flush_comes_by_interval_without_anybody_asking() {
    let (output, captured) = Output::captured();
    let clock = ManualClock::default().clock();
    let sink = Arc::new(LineSink::to(output, "orders", Transport::Api, clock));
    let events = Arc::new(events(Mode::Aggregated));
    events.observe(&["/a"], &[1.0, 1.0], &[], Exemplar::default());
    let flusher = Flusher::builder(sink.clone())
        .drain(events.clone())
        .interval(Duration::from_millis(100))
        .start()
        .unwrap();
    // Yields until the flusher's thread has done its work; its interval is its own clock.
    while sink.ledger().emitted == 0 {
        std::thread::yield_now();
    }
    assert!(flusher.shutdown(LIMIT));
    assert_eq!(Metrics::read(&captured.text()).observations(), 2.0);
}

fn flusher(sink: Arc<dyn Sink>, events: &Arc<EventAggregator>) -> FlusherBuilder {
    Flusher::builder(sink).drain(events.clone()).interval(Duration::from_secs(300))
}

fn captured_sink() -> (Arc<LineSink>, obs_core::output::Capture) {
    let (output, captured) = Output::captured();
    let clock = ManualClock::default().clock();
    (Arc::new(LineSink::to(output, "orders", Transport::Api, clock)), captured)
}

#[test]
fn a_flush_comes_by_size_before_the_interval_has_passed() {
    let interval = Duration::from_secs(20);
    // Started first, so that its interval ends first, too.
    let (other_sink, _) = captured_sink();
    let other_events = Arc::new(events(Mode::Aggregated));
    let other = flusher(other_sink.clone(), &other_events).interval(interval).start().unwrap();
    let (sink, _captured) = captured_sink();
    let events = Arc::new(events(Mode::Aggregated));
    let flusher = flusher(sink.clone(), &events).interval(interval).max_size(3).start().unwrap();
    for route in ["/a", "/b", "/c"] {
        for events in [&events, &other_events] {
            events.observe(&[route], &[1.0, 1.0], &[], Exemplar::default());
        }
    }
    while sink.ledger().emitted < 6 {
        std::thread::yield_now();
    }
    assert_eq!(other_sink.ledger().emitted, 0, "the interval has not passed");
    assert!(flusher.shutdown(LIMIT) && other.shutdown(LIMIT));
}

#[test]
fn a_flush_comes_with_that_of_the_telemetry_as_at_the_end_of_an_invocation() {
    let (output, captured) = Output::captured();
    let telemetry = Telemetry::builder("orders")
        .environment(Environment::empty())
        .output(output)
        .build()
        .unwrap();
    let events = Arc::new(events(Mode::Aggregated));
    let flusher = flusher(Arc::new(LineSink::of(&telemetry)), &events).start().unwrap();
    flusher.attach(&telemetry);
    events.observe(&["/a"], &[1.0, 1.0], &[], Exemplar::default());
    assert!(telemetry.flush(LIMIT));
    assert_eq!(Metrics::read(&captured.text()).observations(), 2.0);
}

#[test]
fn a_shutdown_hands_over_everything_and_later_values_count_as_lost() {
    let (sink, captured) = captured_sink();
    let events = Arc::new(events(Mode::Aggregated));
    let flusher = flusher(sink, &events).start().unwrap();
    events.observe(&["/a"], &[1.0, 1.0], &[], Exemplar::default());
    assert!(flusher.shutdown(LIMIT));
    assert_eq!(Metrics::read(&captured.text()).observations(), 2.0);
    events.observe(&["/a"], &[1.0, 1.0], &[], Exemplar::default());
    let ledger = flusher.ledger();
    assert_eq!((ledger.appended, ledger.emitted, ledger.pending), (4, 2, 0));
    assert_eq!(ledger.dropped_for(DropReason::Closed), 2);
    assert!(ledger.is_conserved());
}

/// Breaks the contract: takes nothing until it is let go.
#[derive(Debug, Default)]
struct Stuck(std::sync::Mutex<bool>, std::sync::Condvar);

impl Sink for Stuck {
    fn emit(&self, _: &Record<'_>) {
        drop(self.1.wait_while(self.0.lock().unwrap(), |free| !*free).unwrap());
    }

    fn flush(&self, _: Duration) -> bool {
        true
    }

    fn shutdown(&self, _: Duration) -> bool {
        true
    }

    fn ledger(&self) -> crate::Ledger {
        crate::Ledger::default()
    }
}

#[test]
fn a_shutdown_keeps_its_limit_even_when_the_sink_blocks() {
    let sink = Arc::new(Stuck::default());
    let events = Arc::new(events(Mode::Aggregated));
    let flusher = flusher(sink.clone(), &events).start().unwrap();
    events.observe(&["/a"], &[1.0, 1.0], &[], Exemplar::default());
    assert!(!flusher.shutdown(Duration::from_millis(1)), "returns, and says that it was not done");
    *sink.0.lock().unwrap() = true;
    sink.1.notify_all();
    assert!(flusher.shutdown(LIMIT));
}

#[test]
fn emf_e26_metrics_of_high_resolution_are_flushed_every_5_s_at_least() {
    let metric = Metric::new("Rate", Unit::Count).resolution(Resolution::High);
    let shape = Shape::builder("Shop").metric(metric).build().unwrap();
    let clock = ManualClock::default().clock();
    let events = Arc::new(EventAggregator::new(shape, Mode::Aggregated, clock));
    let start = |seconds| {
        let (sink, _captured) = captured_sink();
        flusher(sink, &events).interval(Duration::from_secs(seconds)).start()
    };
    assert_eq!(start(6).unwrap_err().field(), "interval");
    assert!(start(5).is_ok());
}

fn any_overflow() -> impl Strategy<Value = Overflow> {
    prop::sample::select(vec![Overflow::Other, Overflow::Demote, Overflow::DropSet])
}

fn any_mode() -> impl Strategy<Value = Mode> {
    prop::sample::select(vec![
        Mode::PerRequest,
        Mode::Aggregated,
        Mode::Hybrid { one_in: 1 },
        Mode::Hybrid { one_in: 3 },
    ])
}

type AnyEvent = (Vec<String>, Vec<f64>, Vec<(String, f64)>, bool);

fn any_event() -> impl Strategy<Value = AnyEvent> {
    let number = prop_oneof![prop::num::f64::ANY, (0..100_i32).prop_map(f64::from)];
    let value = prop_oneof![3 => "[a-c]", 1 => any::<String>(), 1 => "[\"]{1000,3000}"];
    let name = prop_oneof![3 => "[A-C]", 1 => any::<String>()];
    (
        prop::collection::vec(value, 0..4),
        prop::collection::vec(number.clone(), 0..4),
        prop::collection::vec((name, number), 0..6),
        any::<bool>(),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn any_events_make_only_lines_that_the_linter_accepts_and_keep_their_totals(
        mode in any_mode(),
        overflow in any_overflow(),
        budget in 1..4_usize,
        max_keys in 1..5_usize,
        given in prop::collection::vec(any_event(), 0..30),
    ) {
        let shape = Shape::builder("Shop")
            .dimension_set(["Route"])
            .dimension_set(["Route", "Tenant"])
            .metric(("Requests", Unit::Count))
            .metric(("Latency", Unit::Milliseconds))
            .build()
            .unwrap();
        let clock = ManualClock::default().clock();
        let guard = Guard::new(budget, overflow, clock.clone()).unwrap();
        let events = EventAggregator::new(shape.clone(), mode, clock.clone())
            .slowest_by(1)
            .max_keys(max_keys)
            .guard(guard);
        let (output, captured) = Output::captured();
        let sink = LineSink::to(output, "orders", Transport::ContainerStdout, clock.clone());
        let mut points = 0;
        for (dimensions, values, extras, is_error) in &given {
            let dimensions: Vec<&str> = dimensions.iter().map(String::as_str).collect();
            let extras: Vec<(Descriptor, f64)> = extras
                .iter()
                .map(|(name, value)| {
                    (Descriptor::new(String::leak(name.clone()), Unit::Count, ""), *value)
                })
                .collect();
            let extras: Vec<_> = extras.iter().map(|(metric, value)| (metric, *value)).collect();
            let record = Record::new(&shape, clock.wall()).dimensions(&dimensions).values(values);
            let record = record.extras(&extras).error(*is_error);
            points += record.points();
            events.emit(&record, &sink);
        }
        events.drain(&sink);
        prop_assert!(sink.shutdown(LIMIT));
        let linter = Linter::default().transport(Transport::ContainerStdout).now(clock.wall());
        let metrics = Metrics::read_with(&linter, &captured.text());
        let mut ledger = sink.ledger();
        ledger.add(&events.ledger());
        prop_assert_eq!(ledger.appended, points);
        prop_assert_eq!(ledger.appended, ledger.emitted + ledger.dropped());
        prop_assert_eq!(metrics.observations(), ledger.emitted as f64);
    }
}
