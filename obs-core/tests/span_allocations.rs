//! What spans cost in allocations: nothing in a request whose trace is not sampled.

use std::hint::black_box;
use std::time::Duration;

use allocation_counter::measure;
use obs_core::context::RequestContext;
use obs_core::environment::Environment;
use obs_core::output::Output;
use obs_core::span::CallSpan;
use obs_core::subscriber::{ChildSpanLayer, ObsLayer};
use obs_core::telemetry::Telemetry;
use obs_core::trace::{
    BatchSettings, ExportReport, Sampler, SamplingInput, SpanExporter, SpanKind, SpanRecord, Tracer,
};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer, Registry};

#[derive(Debug)]
struct Nowhere;

impl SpanExporter for Nowhere {
    fn export(&mut self, batch: &[SpanRecord], _: Duration) -> ExportReport {
        ExportReport::new().exported(batch.len())
    }
}

fn telemetry() -> Telemetry {
    Telemetry::builder("orders")
        // No batch is due while the test counts.
        .environment(Environment::from([
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "2048"),
            ("OTEL_BSP_SCHEDULE_DELAY", "3600000"),
        ]))
        .output(Output::writer(std::io::sink()))
        .span_exporter(Nowhere)
        .build()
        .expect("nothing else is configured")
}

#[tracing::instrument(fields(cart = "c-1", items))]
fn price(order: &str, lines: u64) {
    tracing::Span::current().record("items", lines);
    tracing::info!(lines, "priced");
    CallSpan::database("postgresql", "SELECT", "prices").attribute("server.port", 5432).finish();
}

fn in_request(sampled: bool, work: impl FnOnce(&Telemetry)) {
    in_request_with(ChildSpanLayer, sampled, work);
}

fn in_request_with(
    layer: impl Layer<Registry> + Send + Sync,
    sampled: bool,
    work: impl FnOnce(&Telemetry),
) {
    let telemetry = telemetry();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let request = RequestContext::builder(&telemetry).sampled(sampled).build();
        let _entered = request.enter();
        // The thread's own structures and those of the registry come first.
        (0..100).for_each(|n| price("o-17", n));
        work(&telemetry);
    });
}

#[test]
fn an_unsampled_request_builds_no_span_whatever_its_code_asks_for() {
    in_request(false, |telemetry| {
        let counted = measure(|| (0..100).for_each(|n| price(black_box("o-17"), n)));
        assert_eq!(counted.count_total, 0, "{counted:?}");
        assert_eq!(telemetry.tracer().ledger().created, 0);
    });
}

#[test]
fn the_fields_of_a_span_cost_one_allocation_and_a_span_without_any_none() {
    fn stock(product: u64) {
        let span = tracing::info_span!("read stock", product, table = "stock");
        span.in_scope(|| tracing::info_span!("lock").in_scope(|| black_box(product)));
    }
    in_request_with(ObsLayer::new(), false, |telemetry| {
        (0..100).for_each(stock);
        let counted = measure(|| (0..100).for_each(stock));
        // Its place in the registry.
        assert_eq!(counted.count_total, 100, "{counted:?}");
        assert_eq!(telemetry.tracer().ledger().created, 0);
    });
}

#[test]
fn a_child_of_a_sampled_request_costs_a_few_allocations() {
    in_request(true, |telemetry| {
        assert!(telemetry.tracer().flush(Duration::from_secs(30)));
        // So that the queue has the room it needs.
        (0..300).for_each(|n| price("o-17", n));
        assert!(telemetry.tracer().flush(Duration::from_secs(30)));
        let counted = measure(|| (0..100).for_each(|n| price(black_box("o-17"), n)));
        // Two spans: each its place and its list of attributes; the first also its place in the
        // registry, two texts, and an event with a text and two lists; the second its name.
        assert!(counted.count_total <= 14 * 100, "{counted:?}");
        assert_eq!(telemetry.tracer().ledger().pending, 200);
    });
}

#[test]
fn a_verdict_and_a_request_left_out_cost_none() {
    let tracer = Tracer::builder()
        .sampler(Sampler::parent_based(Sampler::ratio(0.5).expect("it is between 0 and 1")))
        .exporter(Nowhere)
        .build()
        .expect("the defaults fit together");
    let counted = measure(|| {
        for _ in 0..100 {
            let input =
                SamplingInput::new(tracer.new_trace_id(), "orders").http("GET", "/", "shop");
            black_box(tracer.decide(&input));
            tracer.sampled_out();
        }
    });
    assert_eq!(counted.count_total, 0, "{counted:?}");
    assert_eq!(tracer.ledger().sampled_out, 100);
}

#[test]
fn taking_a_finished_span_moves_it_and_copies_nothing() {
    let mut batch = BatchSettings::default();
    batch.max_export_batch_size = batch.max_queue_size;
    batch.schedule_delay = Duration::from_secs(3600);
    let tracer = Tracer::builder()
        .batch(batch)
        .exporter(Nowhere)
        .build()
        .expect("the settings fit together");
    let span = |tracer: &Tracer| {
        let ids = (tracer.new_trace_id(), tracer.new_span_id());
        SpanRecord::new("GET /orders/{id}", SpanKind::Server, ids.0, ids.1)
    };
    (0..500).for_each(|_| tracer.export(span(&tracer)));
    assert!(tracer.flush(Duration::from_secs(30)));
    let counted = measure(|| (0..100).for_each(|_| tracer.export(span(&tracer))));
    assert_eq!(counted.count_total, 0, "{counted:?}");
}
