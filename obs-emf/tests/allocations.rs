//! What an event costs, in allocations.

#![allow(clippy::unwrap_used, reason = "test helpers: what cannot be set up fails the test")]

use obs_core::clock::Clock;
use obs_core::clock::Timestamp;
use obs_core::id::TraceId;
use obs_core::log::{FieldKey, ValueRef};
use obs_core::metric::{Descriptor, Recorder, Unit};
use obs_core::output::Output;
use obs_emf::aggregate::{EventAggregator, Exemplar, Mode};
use obs_emf::recorder::EmfRecorder;
use obs_emf::request::{Observation, RequestMetrics};
use obs_emf::sink::{LineSink, Sink};
use obs_emf::{Record, Shape, Transport};

/// What the documentation of `EventAggregator` says of five metrics and one thread.
const BYTES_OF_A_KEY: i64 = 56 * 1024;

const NOW: Timestamp = Timestamp::from_unix_millis(1_767_225_600_000);

fn allocations(mut work: impl FnMut()) -> u64 {
    // The first time buffers grow to their working size.
    for _ in 0..3 {
        work();
    }
    allocation_counter::measure(|| (0..100).for_each(|_| work())).count_total
}

fn wide_shape() -> Shape {
    Shape::builder("Shop")
        .dimension_set(["Service", "Environment"])
        .dimension_set(["Service", "Environment", "Route"])
        .constant("Service", "orders")
        .constant("Environment", "prod")
        .metric(("Requests", Unit::Count))
        .metric(("Errors", Unit::Count))
        .metric(("Faults", Unit::Count))
        .metric(("Latency", Unit::Milliseconds))
        .metric(("ResponseSize", Unit::Bytes))
        .build()
        .unwrap()
}

#[test]
fn the_tail_of_a_request_is_encoded_without_allocating() {
    let metrics = RequestMetrics::builder("orders", "prod").build().unwrap();
    let observation = Observation { route: Some("/orders/{id}"), ..Observation::new("GET") };
    let mut line = Vec::new();
    let count = allocations(|| {
        line.clear();
        metrics.encode_tail(&mut line, NOW, &observation);
    });
    assert_eq!(count, 0);
}

#[test]
fn extra_metrics_are_encoded_without_allocating() {
    static HITS: Descriptor = Descriptor::new("CacheHits", Unit::Count, "");
    let metrics = RequestMetrics::builder("orders", "prod").build().unwrap();
    let mut line = Vec::new();
    let count = allocations(|| {
        line.clear();
        let extras = [(&HITS, 1.0), (&HITS, 2.0)];
        metrics.encode_tail_with(&mut line, NOW, &Observation::new("GET"), &extras, 4_096);
    });
    assert_eq!(count, 0);
}

#[test]
fn a_wide_event_is_written_without_allocating() {
    let shape = wide_shape();
    // A destination that is never written to during the test: the lines only wait.
    let output = Output::builder()
        .destination(std::io::sink())
        .flush_interval(std::time::Duration::from_millis(1))
        .build()
        .unwrap();
    let sink = LineSink::to(output.clone(), "orders", Transport::ContainerStdout, Clock::system());
    let now = Clock::system().wall();
    let fields = [
        ("order", ValueRef::Str("o-17")),
        ("items", ValueRef::U64(3)),
        ("tenant", ValueRef::Str("acme")),
        ("currency", ValueRef::Str("EUR")),
        ("total", ValueRef::F64(99.5)),
        ("express", ValueRef::Bool(true)),
        ("warehouse", ValueRef::Str("ber-1")),
    ];
    const CHANNEL: FieldKey = FieldKey::new("channel");
    let known = [(&CHANNEL, ValueRef::Str("web"))];
    let emit = || {
        let record = Record::new(&shape, now).dimensions(&["/orders/{id}"]).fields(&fields);
        sink.emit(&record.known_fields(&known).values(&[1.0, 0.0, 0.0, 12.7, 512.0]));
    };
    // The queue grows to its working size.
    for _ in 0..2_000 {
        emit();
    }
    assert!(output.flush(std::time::Duration::from_secs(30)));
    assert_eq!(allocations(emit), 0);
}

#[test]
fn gathering_an_event_and_using_handles_does_not_allocate() {
    for mode in [Mode::Aggregated, Mode::Hybrid { one_in: 10 }] {
        let events = EventAggregator::new(wide_shape(), mode, Clock::system()).slowest_by(3);
        let mut latency = 12.7;
        let count = allocations(|| {
            // Each is the slowest so far, and an error: both exemplars are noted.
            latency += 0.001;
            let values = [1.0, 0.0, 0.0, latency, 512.0];
            events.observe(&["/orders/{id}"], &values, &[], Exemplar::new(TraceId::new(7), true));
        });
        assert_eq!(count, 0);
    }

    static WAIT: Descriptor = Descriptor::new("Wait", Unit::Milliseconds, "");
    let recorder = EmfRecorder::new("Shop", "orders", "prod", Clock::system()).unwrap();
    let wait = recorder.histogram(&WAIT, &[]);
    let hits = recorder.counter(&WAIT, &[]);
    let queue = recorder.gauge(&WAIT, &[]);
    let count = allocations(|| {
        wait.record(12.5);
        hits.add(1);
        queue.add(1.0);
    });
    assert_eq!(count, 0);
}

#[test]
fn what_is_gathered_takes_a_bounded_amount_of_memory_for_each_key() {
    const KEYS: usize = 100;
    let events = EventAggregator::new(wide_shape(), Mode::Aggregated, Clock::system());
    let events = events.slowest_by(3).max_keys(KEYS);
    let routes: Vec<String> = (0..10 * KEYS).map(|route| format!("/route/{route}")).collect();
    let held = allocation_counter::measure(|| {
        for route in &routes {
            // Latencies from 1 ms to 1 s, sizes from 64 bytes to 64 KiB.
            for step in 0..11 {
                let (latency, size) = (f64::from(1 << step), f64::from(64 << step));
                let values = [1.0, 0.0, 0.0, latency, size];
                events.observe(&[route], &values, &[], Exemplar::new(None, false));
            }
        }
    });
    // Above the bound there is one key more, for the rest.
    let of_a_key = held.bytes_current / (KEYS as i64 + 1);
    assert!((1..=BYTES_OF_A_KEY).contains(&of_a_key), "{of_a_key} bytes");
}
