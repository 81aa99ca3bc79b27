//! The event of `emf/wide event`, by metrique and by metrics_cloudwatch_embedded.
//!
//! Both write less than ours does: no level, message, target and service. metrique is built without
//! its checks of names, as in every release build, and neither checks the limits of CloudWatch.
//! metrics_cloudwatch_embedded has one dimension set, and one set of properties for the process.

use std::time::SystemTime;

use metrique::emf::Emf;
use metrique::emf::flags::NoMetric;
use metrique::unit::{Byte, Count, Millisecond};
use metrique::unit_of_work::metrics;
use metrique::writer::sink::{BackgroundQueue, FlushImmediately};
use metrique::writer::{EntryIoStream, EntrySink, FormatExt};
use metrique::{CloseValue, RootEntry, RootMetric};

use super::collector::collector;
use crate::Job;
use crate::sink::Counted;

pub(super) fn jobs() -> Vec<Job> {
    vec![
        Job::new("rival/wide event by metrique, immediate", immediate).instead_of("emf/wide event"),
        Job::new("rival/wide event by metrique, queued", queued)
            .instead_of("emf/wide event")
            .unsteady(),
        Job::new("rival/wide event by metrics_cloudwatch_embedded", || embedded(1))
            .instead_of("emf/wide event"),
        Job::new("rival/wide event by metrics_cloudwatch_embedded, flushed each 50th", || {
            embedded(50)
        })
        .instead_of("emf/request gathered"),
    ]
}

#[metrics(
    emf::dimension_sets = [["Service"], ["Service", "Route"]],
    rename_all = "PascalCase"
)]
struct Placed {
    #[metrics(timestamp)]
    timestamp: SystemTime,
    service: &'static str,
    route: &'static str,
    #[metrics(unit = Count)]
    requests: u64,
    #[metrics(unit = Count)]
    errors: u64,
    #[metrics(unit = Count)]
    faults: u64,
    #[metrics(unit = Millisecond)]
    latency: f64,
    #[metrics(unit = Byte)]
    response_size: u64,
    #[metrics(name = "order_id")]
    order_id: &'static str,
    #[metrics(name = "items", flags(NoMetric))]
    items: u64,
    #[metrics(name = "tenant")]
    tenant: &'static str,
    #[metrics(name = "currency")]
    currency: &'static str,
    #[metrics(name = "total", flags(NoMetric))]
    total: f64,
    #[metrics(name = "express", flags(NoMetric))]
    express: bool,
    #[metrics(name = "attempt", flags(NoMetric))]
    attempt: u64,
}

fn placed() -> Placed {
    Placed {
        #[allow(clippy::disallowed_methods, reason = "as its users would")]
        timestamp: SystemTime::now(),
        service: "orders",
        route: "/orders/{id}",
        requests: 1,
        errors: 0,
        faults: 0,
        latency: 12.7,
        response_size: 512,
        order_id: "o-4711",
        items: 3,
        tenant: "acme",
        currency: "EUR",
        total: 99.5,
        express: true,
        attempt: 1,
    }
}

fn stream() -> impl EntryIoStream + Send + Sync + 'static {
    Emf::builder("Shop".to_owned(), vec![vec![]]).build().output_to(Counted)
}

/// Encoded by the thread that has the event.
fn immediate() -> impl FnMut(u64) {
    append_to(FlushImmediately::new(stream()))
}

/// Encoded by a thread of its own.
fn queued() -> impl FnMut(u64) {
    let (queue, handle) = BackgroundQueue::new(stream());
    let mut run = append_to(queue);
    move |times| {
        let _stops_with_the_job = &handle;
        run(times);
    }
}

fn append_to(sink: impl EntrySink<RootMetric<Placed>>) -> impl FnMut(u64) {
    move |times| {
        for _ in 0..times {
            sink.append(RootEntry::new(placed().close()));
        }
    }
}

/// Recorded each time, written each `every`th.
fn embedded(every: u64) -> impl FnMut(u64) {
    let collector = collector();
    let mut events = 0_u64;
    move |times| {
        for _ in 0..times {
            let route = "/orders/{id}";
            metrics::counter!("Requests", "Route" => route).increment(1);
            metrics::histogram!("Errors", "Route" => route).record(0.0);
            metrics::histogram!("Faults", "Route" => route).record(0.0);
            metrics::histogram!("Latency", "Route" => route).record(12.7);
            metrics::histogram!("ResponseSize", "Route" => route).record(512.0);
            events += 1;
            if events.is_multiple_of(every) {
                collector
                    .set_property("order_id", "o-4711")
                    .set_property("items", 3)
                    .set_property("tenant", "acme")
                    .set_property("currency", "EUR")
                    .set_property("total", 99.5)
                    .set_property("express", true)
                    .set_property("attempt", 1);
                let written = collector.flush(Counted);
                written.expect("a sink takes everything");
            }
        }
        // They would stand in the records of other jobs.
        for name in ["order_id", "items", "tenant", "currency", "total", "express", "attempt"] {
            collector.remove_property(name);
        }
    }
}
