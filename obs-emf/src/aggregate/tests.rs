use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use obs_core::clock::ManualClock;
use obs_core::metric::{Descriptor, Unit};
use obs_core::output::Output;

use super::*;
use crate::declare::Shape;
use crate::encode::Record;
use crate::ledger::Repair;
use crate::limits::Transport;
use crate::lint::{Metrics, assert_metric};
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
    let (slow, failed) = ("a".repeat(32), "b".repeat(32));
    for latency in 1..=100 {
        let trace = (latency == 100).then_some(slow.as_str());
        let values = [1.0, f64::from(latency)];
        let emission =
            events.observe(&["/a"], &values, &[(&ROWS, 7.0)], Exemplar::new(trace, false));
        assert!(emission.line && !emission.metrics && emission.weight.is_none());
    }
    events.observe(&["/b"], &[1.0, 3.0], &[], Exemplar::new(Some(&failed), true));
    assert_eq!(events.ledger().pending, 302);
    let (text, metrics) = drained(&events);
    let latency = assert_metric(&metrics, "Latency", &[("Route", "/a")]);
    assert_eq!(latency.count(), 100.0);
    assert!((latency.percentile(50.0) - 50.0).abs() <= 0.5);
    assert_eq!(assert_metric(&metrics, "Requests", &[("Route", "/a")]).sum(), 100.0);
    assert_eq!(assert_metric(&metrics, "Rows", &[("Route", "/a")]).sum(), 700.0);
    assert!(text.contains(&format!("\"slowest_trace_id\":\"{slow}\"")));
    assert!(text.contains(&format!("\"error_trace_id\":\"{failed}\"")));
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
