use std::sync::mpsc;

use crate::trace::{AttributeValue, DropReason, ExportReport, MemoryExporter, SpanKind};

use super::*;

fn span(tracer: &Tracer, name: &'static str) -> SpanRecord {
    SpanRecord::new(name, SpanKind::Internal, tracer.new_trace_id(), tracer.new_span_id())
}

fn small_queue() -> BatchSettings {
    BatchSettings { max_queue_size: 4, max_export_batch_size: 2, ..BatchSettings::default() }
}

/// Waits in `export` until it is told to go on, or for ever.
#[derive(Debug)]
struct Hanging {
    entered: mpsc::Sender<usize>,
    release: mpsc::Receiver<()>,
}

impl SpanExporter for Hanging {
    fn export(&mut self, batch: &[SpanRecord], _: Duration) -> ExportReport {
        let _ = self.entered.send(batch.len());
        let _ = self.release.recv();
        ExportReport::new().exported(batch.len())
    }
}

fn hanging() -> (Hanging, mpsc::Receiver<usize>, mpsc::Sender<()>) {
    let (entered, has_entered) = mpsc::channel();
    let (go, release) = mpsc::channel();
    (Hanging { entered, release }, has_entered, go)
}

#[derive(Debug)]
struct Panicking;

impl SpanExporter for Panicking {
    fn export(&mut self, batch: &[SpanRecord], _: Duration) -> ExportReport {
        panic!("{} spans", batch.len());
    }
}

#[derive(Debug)]
struct Silent(usize);

impl SpanExporter for Silent {
    fn export(&mut self, _: &[SpanRecord], _: Duration) -> ExportReport {
        ExportReport::new().exported(self.0)
    }
}

#[test]
fn every_span_arrives_once_and_the_ledger_balances() {
    let memory = MemoryExporter::default();
    let tracer = Tracer::builder().exporter(memory.clone()).build().unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let tracer = tracer.clone();
            std::thread::spawn(move || {
                for _ in 0..100 {
                    tracer.export(span(&tracer, "work"));
                    tracer.sampled_out();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(tracer.shutdown(Duration::from_secs(30)));
    let ledger = tracer.ledger();
    assert_eq!((ledger.created, ledger.exported, ledger.sampled_out), (800, 400, 400));
    assert!(ledger.is_balanced());
    assert_eq!(memory.spans().len(), 400);
}

#[test]
fn exporters_see_spans_only_as_the_redactor_leaves_them() {
    let exported = |builder: TracerBuilder| {
        let memory = MemoryExporter::default();
        let tracer = builder.exporter(memory.clone()).build().unwrap();
        let mut span = span(&tracer, "work");
        span.attributes.push("customer.iban", "DE1");
        span.attributes.push("db.password", "p");
        tracer.export(span);
        assert!(tracer.shutdown(Duration::from_secs(30)));
        let span = memory.span("work");
        ["customer.iban", "db.password"]
            .map(|key| span.attributes.get(key).unwrap().as_str().unwrap().to_owned())
    };
    assert_eq!(exported(Tracer::builder()), ["DE1", "[redacted]"]);
    let iban = Tracer::builder().redactor(Redactor::new().key("iban"));
    assert_eq!(exported(iban), ["[redacted]", "[redacted]"]);
    assert_eq!(exported(Tracer::builder().redactor(Redactor::none())), ["DE1", "p"]);
}

#[test]
fn a_full_queue_drops_and_counts_and_never_blocks() {
    let (exporter, entered, go) = hanging();
    let tracer = Tracer::builder().batch(small_queue()).exporter(exporter).build().unwrap();
    tracer.export(span(&tracer, "a"));
    tracer.export(span(&tracer, "b"));
    assert_eq!(entered.recv().unwrap(), 2);
    for _ in 0..10 {
        tracer.export(span(&tracer, "c"));
    }
    let ledger = tracer.ledger();
    assert_eq!((ledger.created, ledger.pending), (12, 6));
    assert_eq!(ledger.dropped.get(DropReason::QueueFull), 6);
    assert!(ledger.is_balanced());
    drop(go);
    assert!(tracer.shutdown(Duration::from_secs(30)));
    assert_eq!(tracer.ledger().exported, 6);
    assert!(tracer.ledger().is_balanced());
}

#[test]
fn shutdown_keeps_its_deadline_with_a_hanging_exporter_and_the_ledger_is_final() {
    let (exporter, entered, go) = hanging();
    let tracer = Tracer::builder().batch(small_queue()).exporter(exporter).build().unwrap();
    for _ in 0..3 {
        tracer.export(span(&tracer, "a"));
    }
    entered.recv().unwrap();
    assert!(!tracer.flush(Duration::from_millis(1)));
    assert!(!tracer.shutdown(Duration::from_millis(1)));
    let ledger = tracer.ledger();
    assert_eq!((ledger.created, ledger.exported, ledger.pending), (3, 0, 0));
    assert_eq!(ledger.dropped.get(DropReason::Shutdown), 3);
    assert!(ledger.is_balanced());
    drop(go);
    assert!(!tracer.shutdown(Duration::from_secs(30)), "a second call changes nothing");
    assert_eq!(tracer.ledger(), ledger, "what the exporter says too late is not counted twice");
    tracer.export(span(&tracer, "late"));
    assert_eq!(tracer.ledger().dropped.get(DropReason::Shutdown), 4);
    assert!(tracer.ledger().is_balanced());
}

#[test]
fn a_panicking_exporter_costs_its_batch_and_nothing_else() {
    let tracer = Tracer::builder().exporter(Panicking).build().unwrap();
    tracer.export(span(&tracer, "a"));
    assert!(tracer.flush(Duration::from_secs(30)));
    tracer.export(span(&tracer, "b"));
    assert!(tracer.shutdown(Duration::from_secs(30)));
    let ledger = tracer.ledger();
    assert_eq!(ledger.dropped.get(DropReason::ExporterFault), 2);
    assert_eq!(ledger.last_error.as_deref(), Some("the exporter panicked"));
}

#[test]
fn a_span_for_later_is_made_on_the_exporters_thread() {
    let memory = MemoryExporter::default();
    let tracer = Tracer::builder().exporter(memory.clone()).build().unwrap();
    for (name, upgraded) in [("usual", false), ("upgraded", true)] {
        let mut span = span(&tracer, name);
        tracer.export_later(upgraded, move || {
            let thread = std::thread::current().name().map(str::to_owned);
            span.attributes.push("thread", thread.unwrap_or_default());
            span.attributes.push("db.password", "p");
            span
        });
    }
    assert!(tracer.shutdown(Duration::from_secs(30)));
    for name in ["usual", "upgraded"] {
        let span = memory.span(name);
        let text = |key| span.attributes.get(key).and_then(AttributeValue::as_str);
        assert_eq!((text("thread"), text("db.password")), (Some("obs-spans"), Some("[redacted]")));
    }
    let ledger = tracer.ledger();
    assert_eq!((ledger.created, ledger.upgraded, ledger.exported), (2, 1, 2));
}

#[test]
fn a_span_for_later_that_cannot_be_made_is_counted() {
    let (exporter, entered, go) = hanging();
    let tracer = Tracer::builder().batch(small_queue()).exporter(exporter).build().unwrap();
    (0..2).for_each(|_| tracer.export(span(&tracer, "a")));
    assert_eq!(entered.recv().unwrap(), 2);
    for _ in 0..10 {
        tracer.export_later(false, || panic!("no span"));
    }
    assert_eq!(tracer.ledger().dropped.get(DropReason::QueueFull), 6);
    drop(go);
    assert!(tracer.shutdown(Duration::from_secs(30)));
    let ledger = tracer.ledger();
    assert_eq!((ledger.exported, ledger.dropped.get(DropReason::ExporterFault)), (2, 4));
    assert!(ledger.is_balanced());
}

#[test]
fn an_exporter_that_reports_too_few_or_too_many_cannot_unbalance_the_ledger() {
    for reported in [0, 1, 3] {
        let tracer = Tracer::builder().exporter(Silent(reported)).build().unwrap();
        tracer.export(span(&tracer, "a"));
        tracer.export(span(&tracer, "b"));
        assert!(tracer.shutdown(Duration::from_secs(30)));
        let ledger = tracer.ledger();
        assert!(ledger.is_balanced() && ledger.pending == 0, "{ledger:?}");
        assert!(ledger.dropped.get(DropReason::ExporterFault) > 0);
    }
}

#[test]
fn the_last_handle_that_goes_still_sends_what_waits() {
    let (exporter, entered, _go) = hanging();
    let tracer = Tracer::builder().exporter(exporter).build().unwrap();
    tracer.export(span(&tracer, "a"));
    drop(tracer);
    assert_eq!(entered.recv().unwrap(), 1);
}

#[test]
fn without_a_delay_a_span_is_sent_at_once() {
    let (exporter, entered, go) = hanging();
    drop(go);
    let batch = BatchSettings { schedule_delay: Duration::ZERO, ..BatchSettings::default() };
    let tracer = Tracer::builder().batch(batch).exporter(exporter).build().unwrap();
    for _ in 0..3 {
        tracer.export(span(&tracer, "a"));
        assert_eq!(entered.recv().unwrap(), 1);
    }
}

#[test]
fn without_an_exporter_nothing_is_recorded_and_the_verdict_is_still_given() {
    let tracer = Tracer::disabled();
    tracer.export(span(&tracer, "a"));
    tracer.sampled_out();
    assert_eq!(tracer.ledger(), SpanLedger::default());
    assert!(tracer.decide(&SamplingInput::new(tracer.new_trace_id(), "a")).sampled);
    assert!(tracer.flush(Duration::ZERO) && tracer.shutdown(Duration::ZERO));
}
