//! A wide event in Embedded Metric Format: five metrics, two dimension sets, seven fields. And the
//! six metrics of a request: as the tail of its line, and gathered for a window.

use std::time::Duration;

use obs_core::clock::Clock;
use obs_core::log::{FieldKey, ValueRef};
use obs_core::metric::Unit;
use obs_core::output::Output;
use obs_emf::aggregate::Mode;
use obs_emf::request::{Observation, RequestAggregator, RequestMetrics};
use obs_emf::sink::{LineSink, Sink};
use obs_emf::{Record, Shape, Transport};

use crate::Job;
use crate::sink::Counted;

pub(super) fn jobs() -> Vec<Job> {
    vec![
        Job::new("emf/wide event", wide_event).within(777, 250).explained(
            "seven keys that no shape declares are written, compared with those before them and \
             looked up among the hidden ones, at 140 instructions each",
        ),
        Job::new("emf/wide event of known fields", known_fields)
            .within(777, 250)
            .instructions(3_300)
            .explained("its instructions are fewer than were aimed at; where its time goes was not profiled"),
        Job::new("emf/request tail", request_tail).within(777, 100),
        // Six metrics at 40 ns each.
        Job::new("emf/request gathered", request_gathered).within(777, 240),
    ]
}

const VALUES: [ValueRef<'static>; 7] = [
    ValueRef::Str("o-4711"),
    ValueRef::U64(3),
    ValueRef::Str("acme"),
    ValueRef::Str("EUR"),
    ValueRef::F64(99.5),
    ValueRef::Bool(true),
    ValueRef::U64(1),
];

/// Fields whose names come when the event is written.
fn wide_event() -> impl FnMut(u64) {
    let names = ["order_id", "items", "tenant", "currency", "total", "express", "attempt"];
    let fields: [_; 7] = std::array::from_fn(|at| (names[at], VALUES[at]));
    let events = Events::new();
    move |times| {
        for _ in 0..times {
            let record = Record::new(&events.shape, events.clock.wall()).fields(&fields);
            events.emit(record);
        }
    }
}

/// Fields whose names were there when the program was compiled.
fn known_fields() -> impl FnMut(u64) {
    static NAMES: [FieldKey; 7] = [
        FieldKey::new("order_id"),
        FieldKey::new("items"),
        FieldKey::new("tenant"),
        FieldKey::new("currency"),
        FieldKey::new("total"),
        FieldKey::new("express"),
        FieldKey::new("attempt"),
    ];
    let fields: [_; 7] = std::array::from_fn(|at| (&NAMES[at], VALUES[at]));
    let events = Events::new();
    move |times| {
        for _ in 0..times {
            let record = Record::new(&events.shape, events.clock.wall()).known_fields(&fields);
            events.emit(record);
        }
    }
}

/// What a request's metrics add to its line.
fn request_tail() -> impl FnMut(u64) {
    let (metrics, clock) = (request_metrics(), Clock::system());
    let mut line = Vec::with_capacity(1_024);
    move |times| {
        for request in 0..times {
            line.clear();
            metrics.encode_tail(&mut line, clock.wall(), &observation(request));
            std::hint::black_box(&line);
        }
    }
}

/// A request whose metrics go out with those of its window.
fn request_gathered() -> impl FnMut(u64) {
    let requests = RequestAggregator::new(&request_metrics(), Mode::Aggregated, Clock::system());
    move |times| {
        for request in 0..times {
            std::hint::black_box(requests.observe(&observation(request), &[], false));
        }
    }
}

fn request_metrics() -> RequestMetrics {
    RequestMetrics::builder("orders", "prod").build().expect("the declaration is valid")
}

fn observation(request: u64) -> Observation<'static> {
    Observation {
        route: Some("/orders/{id}"),
        latency: Duration::from_micros(12_700 + request % 1_000),
        response_size: Some(512),
        ..Observation::new("GET")
    }
}

struct Events {
    shape: Shape,
    sink: LineSink,
    clock: Clock,
}

impl Events {
    fn new() -> Self {
        let shape = Shape::builder("Shop")
            .dimension_set(["Service"])
            .dimension_set(["Service", "Route"])
            .constant("Service", "orders")
            .metric(("Requests", Unit::Count))
            .metric(("Errors", Unit::Count))
            .metric(("Faults", Unit::Count))
            .metric(("Latency", Unit::Milliseconds))
            .metric(("ResponseSize", Unit::Bytes))
            .build()
            .expect("the declaration is valid");
        let output = Output::writer(Counted);
        let clock = Clock::system();
        let sink = LineSink::to(output, "orders", Transport::ContainerStdout, clock.clone());
        Self { shape, sink, clock }
    }

    fn emit(&self, record: Record<'_>) {
        let record = record.dimensions(&["/orders/{id}"]);
        self.sink.emit(&record.values(&[1.0, 0.0, 0.0, 12.7, 512.0]));
    }
}
