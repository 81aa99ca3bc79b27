//! A wide event in Embedded Metric Format: four metrics, two dimensions, six fields.

use obs_core::clock::Clock;
use obs_core::log::ValueRef;
use obs_core::metric::Unit;
use obs_core::output::Output;
use obs_emf::sink::{LineSink, Sink};
use obs_emf::{Record, Shape, Transport};

use crate::Job;

pub(super) fn jobs() -> Vec<Job> {
    vec![Job::new("emf/wide event", wide_event).within(777, 250)]
}

fn wide_event() -> impl FnMut(u64) {
    let shape = Shape::builder("Shop")
        .dimension_set(["Service", "Route"])
        .constant("Service", "orders")
        .metric(("Requests", Unit::Count))
        .metric(("Faults", Unit::Count))
        .metric(("Latency", Unit::Milliseconds))
        .metric(("ResponseSize", Unit::Bytes))
        .build()
        .expect("the declaration is valid");
    let output = Output::writer(std::io::sink());
    let clock = Clock::system();
    let sink = LineSink::to(output, "orders", Transport::ContainerStdout, clock.clone());
    let fields = [
        ("order_id", ValueRef::Str("o-4711")),
        ("items", ValueRef::U64(3)),
        ("tenant", ValueRef::Str("acme")),
        ("currency", ValueRef::Str("EUR")),
        ("total", ValueRef::F64(99.5)),
        ("express", ValueRef::Bool(true)),
    ];
    move |times| {
        for _ in 0..times {
            let record = Record::new(&shape, clock.wall());
            let record = record.dimensions(&["/orders/{id}"]).fields(&fields);
            sink.emit(&record.values(&[1.0, 0.0, 12.7, 512.0]));
        }
    }
}
